//! A curve over sizes as an SVG that needs nothing else.
//!
//! It refuses to measure. Invariant: the axis of sizes is logarithmic, that of the values begins at zero.

use std::fmt::Write as _;

/// Draws values over sizes: at least two points, in order of size. `axis` says what the sizes are, `label` how one is written.
pub fn over_size(title: &str, axis: &str, points: &[(u64, f64)], label: &dyn Fn(u64) -> String) -> String {
    let (width, height, left, bottom) = (720.0, 360.0, 60.0, 50.0);
    let top = points.iter().map(|point| point.1).fold(0.0, f64::max) * 1.15;
    let first = (points[0].0 as f64).log2();
    let span = ((points[points.len() - 1].0 as f64).log2() - first).max(f64::MIN_POSITIVE);
    let x = |size: u64| left + ((size as f64).log2() - first) / span * (width - left - 30.0);
    let y = |value: f64| height - bottom - value / top * (height - bottom - 40.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"white\"/>\n\
         <text x=\"{left}\" y=\"22\" font-size=\"14\">{title}</text>\n"
    );
    let line: Vec<String> = points.iter().map(|(size, value)| format!("{:.1},{:.1}", x(*size), y(*value))).collect();
    for tick in 0..=4 {
        let value = top * f64::from(tick) / 4.0;
        let at = y(value);
        writeln!(svg, "<line x1=\"{left}\" x2=\"{}\" y1=\"{at:.1}\" y2=\"{at:.1}\" stroke=\"#ddd\"/>", width - 30.0).expect("text");
        writeln!(svg, "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{value:.1}</text>", left - 8.0, at + 4.0).expect("text");
    }
    writeln!(svg, "<polyline points=\"{}\" fill=\"none\" stroke=\"#0072b2\" stroke-width=\"2\"/>", line.join(" ")).expect("text");
    for (size, value) in points {
        let (at, name) = (x(*size), label(*size));
        writeln!(svg, "<circle cx=\"{at:.1}\" cy=\"{:.1}\" r=\"3.5\" fill=\"#0072b2\"/>", y(*value)).expect("text");
        writeln!(svg, "<text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{name}</text>", height - bottom + 18.0).expect("text");
    }
    let middle = width / 2.0;
    writeln!(svg, "<text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">{axis}</text>", height - 10.0).expect("text");
    svg + "</svg>\n"
}
