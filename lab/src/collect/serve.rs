//! The collector's HTTP: takes bodies, answers 204 or 400 with a code.
//!
//! | request | answer |
//! |---|---|
//! | `POST /records`, 256 bytes | 204 taken (or taken before), 400 with the code of what is wrong |
//! | `POST /gateway`, `message/ohttp-req` | 200 with the sealed answer; 400 `not_for_this_key` when it cannot be opened |
//! | `GET /ohttp-keys` | the gateway's key configuration |
//! | `OPTIONS` of these | 204, any origin may post without credentials |
//!
//! One thread; a request is read whole, with a limit of size and time, then judged, written to the disk and answered. Addresses and headers are
//! not looked at, and nothing is logged but the counts of `report.json`.

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ALLOW, CONTENT_TYPE, HeaderName,
};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::{LocalSet, spawn_local};

use super::Collector;
use super::gateway::Gateway;
use crate::error::LabError;

/// Largest request that is read.
const MOST_BYTES: usize = 4_096;
/// Time for a request to come in whole.
const PATIENCE: Duration = Duration::from_secs(10);
/// Connections at once.
const MOST_CONNECTIONS: usize = 512;

/// What requests are answered from.
struct Desk {
    collector: Collector,
    gateway: Option<Gateway>,
    epoch: Box<dyn Fn() -> Option<u16>>,
}

/// An answer: status, type of content, content.
type Answer = (StatusCode, &'static str, Vec<u8>);

fn said(status: StatusCode, code: &str) -> Answer {
    (status, "text/plain", code.as_bytes().to_vec())
}

impl Desk {
    /// Judges one body and makes it durable; the disk's failure is the collector's, not the device's.
    fn take(&mut self, body: &[u8], short: bool) -> (StatusCode, &'static str) {
        let Some(epoch) = (self.epoch)() else {
            return (StatusCode::SERVICE_UNAVAILABLE, "no_epoch");
        };
        let taken = self.collector.take(body, short, epoch).and_then(|taken| {
            self.collector.sync()?;
            self.collector.report()?;
            Ok(taken)
        });
        match taken {
            Ok(Ok(())) => (StatusCode::NO_CONTENT, ""),
            Ok(Err(refusal)) => (StatusCode::BAD_REQUEST, refusal.code()),
            Err(error) => {
                eprintln!("{error}");
                (StatusCode::SERVICE_UNAVAILABLE, "disk")
            }
        }
    }

    fn answer(&mut self, method: &Method, path: &str, body: &[u8]) -> Answer {
        match (method, path) {
            (&Method::POST, "/records") => {
                let (status, code) = self.take(body, false);
                said(status, code)
            }
            (&Method::POST, "/gateway") if self.gateway.is_some() => self.open(body),
            (&Method::GET, "/ohttp-keys") if self.gateway.is_some() => {
                let keys = self.gateway.as_ref().map(|gateway| gateway.configuration().to_vec()).unwrap_or_default();
                (StatusCode::OK, "application/ohttp-keys", keys)
            }
            (&Method::OPTIONS, "/records" | "/gateway" | "/ohttp-keys") => said(StatusCode::NO_CONTENT, ""),
            (_, "/records" | "/gateway" | "/ohttp-keys") => said(StatusCode::METHOD_NOT_ALLOWED, "bad_method"),
            _ => said(StatusCode::NOT_FOUND, "unknown_path"),
        }
    }

    fn open(&mut self, sealed: &[u8]) -> Answer {
        let Some(opened) = self.gateway.as_ref().and_then(|gateway| gateway.open(sealed)) else {
            return said(StatusCode::BAD_REQUEST, "not_for_this_key");
        };
        let content = opened.content.clone();
        let (status, code) = self.take(&content, true);
        match opened.answer(status.as_u16(), code) {
            Ok(sealed) => (StatusCode::OK, "message/ohttp-res", sealed),
            Err(error) => {
                eprintln!("{error}");
                said(StatusCode::INTERNAL_SERVER_ERROR, "sealing")
            }
        }
    }
}

fn response((status, kind, content): Answer) -> Response<Full<Bytes>> {
    let empty = content.is_empty();
    let mut response = Response::new(Full::new(Bytes::from(content)));
    *response.status_mut() = status;
    let mut header = |name: HeaderName, value: &'static str| {
        response.headers_mut().insert(name, hyper::header::HeaderValue::from_static(value));
    };
    header(ACCESS_CONTROL_ALLOW_ORIGIN, "*");
    header(ACCESS_CONTROL_ALLOW_METHODS, "GET, POST");
    header(ACCESS_CONTROL_ALLOW_HEADERS, "content-type");
    if status == StatusCode::METHOD_NOT_ALLOWED {
        header(ALLOW, "GET, POST, OPTIONS");
    }
    if !empty {
        header(CONTENT_TYPE, kind);
    }
    response
}

async fn respond(desk: Rc<RefCell<Desk>>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let read = tokio::time::timeout(PATIENCE, Limited::new(body, MOST_BYTES).collect()).await;
    let answer = match read {
        Ok(Ok(body)) => desk.borrow_mut().answer(&head.method, head.uri.path(), &body.to_bytes()),
        Ok(Err(_)) => said(StatusCode::PAYLOAD_TOO_LARGE, "bad_length"),
        Err(_) => said(StatusCode::REQUEST_TIMEOUT, "too_slow"),
    };
    Ok(response(answer))
}

/// Serves until `until` is over. `ready` hears the address, which has the port when 0 was asked for; `epoch` says what week it is.
///
/// # Errors
/// When the address cannot be had.
pub fn serve(
    collector: Collector,
    gateway: Option<Gateway>,
    address: SocketAddr,
    epoch: Box<dyn Fn() -> Option<u16>>,
    ready: impl FnOnce(SocketAddr),
    until: impl Future<Output = ()>,
) -> Result<(), LabError> {
    let failed =
        |error: std::io::Error| LabError::unreadable(format!("expected an address to listen on, got {address}: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build().map_err(failed)?;
    let desk = Rc::new(RefCell::new(Desk { collector, gateway, epoch }));
    LocalSet::new().block_on(&runtime, async move {
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        ready(listener.local_addr().map_err(failed)?);
        let places = std::sync::Arc::new(Semaphore::new(MOST_CONNECTIONS));
        let accepting = async {
            loop {
                let Ok(place) = places.clone().acquire_owned().await else { break };
                // The address of the other side is dropped here, unread.
                let Ok((stream, _)) = listener.accept().await else { continue };
                let desk = desk.clone();
                spawn_local(async move {
                    let service = service_fn(move |request| respond(desk.clone(), request));
                    let mut builder = http1::Builder::new();
                    builder.timer(TokioTimer::new()).header_read_timeout(PATIENCE);
                    // A connection that breaks off is the other side's affair.
                    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
                    drop(place);
                });
            }
        };
        tokio::pin!(accepting);
        tokio::pin!(until);
        std::future::poll_fn(|context| match until.as_mut().poll(context) {
            std::task::Poll::Ready(()) => std::task::Poll::Ready(()),
            std::task::Poll::Pending => accepting.as_mut().poll(context),
        })
        .await;
        Ok(())
    })
}
