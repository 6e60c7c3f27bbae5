//! The wire between the SDK's clients of one Lambda instance and the services, where most faults happen.

use std::fmt;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_codebuild::config::http::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use serde_json::Value;
use tokio::sync::{Notify, oneshot};
use tokio::time::sleep;

use crate::faults::Outage;
use crate::world::{Answer, World};

const USUAL: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(30));
const SLOW: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(5));
/// When a late effect comes: the SDK waits four seconds.
const LATE: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(30));

#[derive(Clone)]
pub struct Connection {
    world: Arc<World>,
    /// Kills the instance.
    death: Arc<Notify>,
}

impl Connection {
    pub fn new(world: Arc<World>, death: Arc<Notify>) -> Self {
        Self { world, death }
    }

    async fn die(&self) -> ! {
        self.death.notify_one();
        pending().await
    }

    fn strikes(&self, kind: &'static str, rate: impl Fn(&crate::faults::Rates) -> f64) -> bool {
        self.world.faults.strikes(&self.world.dice, kind, rate)
    }

    /// A call, from the request's first byte to the answer's last.
    async fn call(self, target: String, body: Value) -> Result<HttpResponse, ConnectorError> {
        if self.strikes("crash before a call", |rates| rates.crash_before_call) {
            self.die().await;
        }
        // In a task of its own: what was sent takes its effect whether or not the caller lives and waits.
        let (sender, answer) = oneshot::channel();
        let there = self.clone();
        tokio::spawn(async move { sender.send(there.arrive(&target, &body).await) });
        let Ok(Some(answer)) = answer.await else {
            return pending().await;
        };
        if self.strikes("crash after a call", |rates| rates.crash_after_call) {
            self.die().await;
        }
        if self.strikes("answer lost", |rates| rates.silent_after_effect) {
            return pending().await;
        }
        if self.strikes("connection cut before the answer", |rates| rates.cut_after_effect) {
            return Err(ConnectorError::io("connection reset by peer".into()));
        }
        let answer = if self.strikes("error of the server after the effect", |rates| rates.error_after_effect) {
            Answer::error(500, "InternalServerError", "the simulation says so")
        } else {
            answer
        };
        sleep(self.latency()).await;
        let body = SdkBody::from(serde_json::to_vec(&answer.body).unwrap());
        Ok(HttpResponse::new(answer.status.try_into().unwrap(), body))
    }

    /// The service's side. `None`: it never answers.
    async fn arrive(&self, target: &str, body: &Value) -> Option<Answer> {
        let (service, action) = target.split_once('.').expect("JSON protocols name service and operation");
        sleep(self.latency()).await;
        match self.world.faults.outage(service) {
            Some(Outage::Refuses) => {
                self.world.faults.count("call in an outage");
                return Some(Answer::error(503, "ServiceUnavailable", "the simulation says so"));
            }
            Some(Outage::Silent) => {
                self.world.faults.count("call in an outage");
                return None;
            }
            None => {}
        }
        if self.strikes("throttled", |rates| rates.throttled) {
            return Some(Answer::error(400, "ThrottlingException", "Rate exceeded"));
        }
        if self.strikes("error of the server", |rates| rates.unavailable) {
            return Some(Answer::error(500, "InternalServerError", "the simulation says so"));
        }
        if self.strikes("no answer and no effect", |rates| rates.silent) {
            return None;
        }
        if self.strikes("effect after the caller gave up", |rates| rates.late_effect) {
            sleep(self.world.dice.between(LATE.0, LATE.1)).await;
        }
        Some(self.world.serve(action, body))
    }

    fn latency(&self) -> Duration {
        let slow = self.strikes("slow call", |rates| rates.slow);
        let (least, most) = if slow { SLOW } else { USUAL };
        self.world.dice.between(least, most)
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connection")
    }
}

impl HttpConnector for Connection {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").expect("a JSON protocol").to_owned();
        let body = serde_json::from_slice(request.body().bytes().unwrap()).unwrap();
        HttpConnectorFuture::new(self.clone().call(target, body))
    }
}

impl HttpClient for Connection {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}
