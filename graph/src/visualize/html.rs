//! A picture as a page: the SVG, and the plan's text below it. One file, no script, nothing loaded from anywhere.

use super::picture::Picture;
use super::{svg, xml};

const STYLE: &str = "\
:root { color-scheme: light dark; }
body { margin: 0; padding: 24px; font-family: system-ui, -apple-system, 'Segoe UI', sans-serif; background: #ffffff; color: #0f172a; }
h1 { font-size: 16px; margin: 0 0 12px; }
.picture { overflow: auto; border: 1px solid #e2e8f0; border-radius: 10px; margin-bottom: 24px; }
.picture svg { display: block; margin: 0 auto; }
pre { overflow: auto; margin: 0; padding: 16px; border-radius: 10px; background: #f8fafc; font: 12px/1.5 ui-monospace, Menlo, Consolas, monospace; }
@media (prefers-color-scheme: dark) {
body { background: #0f172a; color: #f1f5f9; }
.picture { border-color: #334155; }
pre { background: #1e293b; }
}
";

/// The whole file.
pub(super) fn html(picture: &Picture, explanation: &str) -> String {
    let title = format!("Task graph: {} boxes, {} links", picture.nodes.len(), picture.links.len());
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>{title}</title>\n<style>\n{STYLE}</style>\n\
         </head>\n<body>\n<h1>Task graph</h1>\n<div class=\"picture\">\n{}</div>\n<h1>Plan</h1>\n<pre>{}</pre>\n</body>\n</html>\n",
        svg::svg(picture),
        xml(explanation)
    )
}
