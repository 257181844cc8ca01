//! Which path shows what.
//!
//! It refuses to know sockets. Invariant: the source is asked on threads where waiting harms nobody, by few at a time, and
//! for the whole view at most a few times a second, however many look.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};
use tokio::sync::{Mutex, Semaphore};

use crate::Source;
use crate::door::{Door, seal};

/// A view this old is shown again.
const FRESH: Duration = Duration::from_millis(200);
/// Questions that are worked on at a time.
const AT_A_TIME: usize = 4;
/// A key is shorter than this.
const KEY_BYTES: usize = 512;

struct Shared {
    source: Arc<dyn Source>,
    door: Door,
    turns: Semaphore,
    view: Mutex<Option<(Instant, Arc<Value>)>>,
}

/// All paths over one source.
pub fn router(source: Arc<dyn Source>, door: Door) -> Router {
    let shared = Arc::new(Shared { source, door, turns: Semaphore::new(AT_A_TIME), view: Mutex::new(None) });
    Router::new()
        .route("/", get(|| async { typed("text/html; charset=utf-8", include_str!("page/page.html")) }))
        .route("/page.css", get(|| async { typed("text/css; charset=utf-8", include_str!("page/page.css")) }))
        .route("/page.js", get(|| async { typed("text/javascript; charset=utf-8", include_str!("page/page.js")) }))
        .route("/health", get(|| async { typed("text/plain; charset=utf-8", "ok\n") }))
        .route("/api/v1/info", get(info))
        .route("/api/v1/workers", get(workers))
        .route("/api/v1/story/{*key}", get(|state, key| about(state, key, |source, key| source.story(key))))
        .route("/api/v1/explain/{*key}", get(|state, key| about(state, key, |source, key| source.explain(key))))
        .route("/metrics", get(metrics))
        .fallback(|| async { problem(StatusCode::NOT_FOUND, "there is no such page") })
        .layer(from_fn_with_state(shared.clone(), guard))
        .with_state(shared)
}

async fn guard(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let mut response = match shared.door.refuse(&request) {
        Some(refusal) => refusal,
        None => next.run(request).await,
    };
    seal(response.headers_mut());
    response
}

fn typed(kind: &'static str, text: impl Into<Bytes>) -> Response {
    ([(header::CONTENT_TYPE, kind)], Body::from(text.into())).into_response()
}

fn answer(value: &Value) -> Response {
    typed("application/json", value.to_string())
}

fn problem(status: StatusCode, text: &str) -> Response {
    (status, answer(&json!({ "error": text }))).into_response()
}

impl Shared {
    /// Asks the source where waiting harms nobody; a panic there is this question's problem alone.
    async fn ask<T: Send + 'static>(&self, question: impl FnOnce(&dyn Source) -> T + Send + 'static) -> Result<T, Response> {
        let closed = || problem(StatusCode::SERVICE_UNAVAILABLE, "the scheduler is closing");
        let _turn = self.turns.acquire().await.map_err(|_| closed())?;
        let source = self.source.clone();
        let answered = tokio::task::spawn_blocking(move || question(source.as_ref())).await;
        answered.map_err(|_| problem(StatusCode::INTERNAL_SERVER_ERROR, "the scheduler could not answer"))
    }

    async fn view(&self) -> Result<Arc<Value>, Response> {
        // Whoever comes while a view is being made waits for that one.
        let mut kept = self.view.lock().await;
        if let Some((_, view)) = kept.as_ref().filter(|(made, _)| made.elapsed() < FRESH) {
            return Ok(view.clone());
        }
        let view = Arc::new(self.ask(|source| source.view()).await?);
        *kept = Some((Instant::now(), view.clone()));
        Ok(view)
    }
}

async fn info(State(shared): State<Arc<Shared>>) -> Response {
    shared.view().await.map_or_else(|refusal| refusal, |view| answer(&view))
}

async fn workers(State(shared): State<Arc<Shared>>) -> Response {
    shared.view().await.map_or_else(|refusal| refusal, |view| answer(view.get("workers").unwrap_or(&json!([]))))
}

async fn about(State(shared): State<Arc<Shared>>, Path(key): Path<String>, ask: fn(&dyn Source, &str) -> Option<Value>) -> Response {
    if key.len() > KEY_BYTES {
        return problem(StatusCode::URI_TOO_LONG, "no key is that long");
    }
    match shared.ask(move |source| ask(source, &key)).await {
        Ok(Some(value)) => answer(&value),
        Ok(None) => problem(StatusCode::NOT_FOUND, "the scheduler knows no task of that key"),
        Err(refusal) => refusal,
    }
}

async fn metrics(State(shared): State<Arc<Shared>>) -> Response {
    let text = shared.ask(|source| source.metrics()).await;
    text.map_or_else(|refusal| refusal, |text| typed("text/plain; version=0.0.4; charset=utf-8", text))
}
