//! What every host is told, and what becomes of what it answers: the courier's own client against [`Standin`].

use std::time::{Duration, SystemTime};

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use contract::GitUrl;
use contract::register::{State, Target, TargetKind};
use iwomp_aws::host::{Message, Verdict, connector};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::Instant;

use super::deployment::Deployment;
use super::handler::{postponed, tell};
use super::host;
use super::message::{deployment, message};
use super::parcel::Parcel;
use super::standin::{Answer, Standin, TOKEN, facts};
use crate::fixtures::COMMIT;

/// As long as a name can be, and what people write.
const PROJECT: &str = "p23456789-123456789-123456789-123456789-123456789-123456789-123";
const EVIL: &str = "<!channel> @everyone [x](http://evil) *b* \u{202e}\n`c` & <@U1> ";

fn kinds() -> impl Iterator<Item = TargetKind> {
    TargetKind::ALL.iter().copied().filter(|kind| *kind != TargetKind::EventBridge)
}

fn git_hosts() -> impl Iterator<Item = TargetKind> {
    kinds().filter(|kind| kind.is_git_host())
}

fn parcel(outcome: &str, class: &str) -> Parcel {
    Parcel::new(json!({
        "outcome": outcome, "class": class, "project": PROJECT, "branch": "b".repeat(200), "commit": COMMIT,
        "reason": EVIL.repeat(20), "build": format!("iwomp-in-aws--{PROJECT}:8745a7a9-c340-456a-9166-edf953571bEX"),
        "trigger": "0e6d1a8b-8f8d-5f0c-9c1e-4d6a6f1f2a3b", "ended": "2026-11-23T06:00:00Z",
    }))
}

/// The requests that tell a target of `kind` at `host`. None: of this it is told nothing.
fn requests(host: &Standin, kind: TargetKind, parcel: &Parcel) -> Option<(Message, Option<Deployment>)> {
    let environment = (kind == TargetKind::GitHub).then(|| "pre production&x".to_owned());
    let target = Target { kind, name: "x".to_owned(), on: State::ALL.to_vec(), environment, may_be_private: true };
    let (secret, facts) = (host.target_secret(kind), facts(kind));
    let git_url = GitUrl::parse(facts["repository"].as_str().unwrap_or("https://localhost/a/b")).unwrap();
    let project = format!("iwomp-in-aws--{PROJECT}");
    let link = format!(
        "https://us-gov-west-1.console.amazonaws-us-gov.com/codesuite/codebuild/123456789012/projects/{project}/build/{project}\
         %3A8745a7a9-c340-456a-9166-edf953571bEX/"
    );
    let state = parcel.state().unwrap();
    let deployment = deployment(parcel, state, &target, &secret, &git_url, Some(link.clone())).unwrap();
    let message = message(parcel, state, &target, &secret, &git_url, Some(link), SystemTime::now()).unwrap();
    message.map(|message| (message, deployment))
}

async fn told(host: &Standin, kind: TargetKind, parcel: &Parcel) -> Option<Result<(), Verdict>> {
    let connector = connector(true, Some(&host.authority)).unwrap();
    let (message, deployment) = requests(host, kind, parcel)?;
    Some(tell(&connector, &message, deployment.as_ref()).await)
}

#[tokio::test]
async fn every_host_takes_what_it_is_told_of_every_state() {
    let host = Standin::listening().await;
    for kind in kinds() {
        for (outcome, class) in [
            ("busy", "building"),
            ("started", ""),
            ("deployed", ""),
            ("unchanged", ""),
            ("superseded", ""),
            ("held", ""),
            ("refused", "not_forward"),
            ("expired", ""),
            ("failed", "failed"),
            ("failed", "stopped"),
            ("failed", "timed_out"),
        ] {
            let parcel = parcel(outcome, class);
            let result = told(&host, kind, &parcel).await;
            assert_eq!(result.is_none(), kind.is_git_host() && outcome == "busy", "{kind} {outcome}");
            let asked = host.asked();
            assert!(asked.iter().all(|asked| asked.status < 300), "{kind} {outcome}: {result:?}");
            assert!(result.is_none_or(|result| result.is_ok() && !asked.is_empty()), "{kind} {outcome}");
            assert!(asked.iter().all(|asked| !asked.body.contains(TOKEN)), "{kind}: a secret is in a body");
        }
    }
}

#[tokio::test]
async fn a_git_host_shows_what_ran_as_what_it_came_to_and_what_ran_nothing_as_neither() {
    let host = Standin::listening().await;
    for kind in git_hosts() {
        let shows = &facts(kind)["shows"];
        for (outcome, word) in [
            ("started", "running"),
            ("deployed", "good"),
            ("unchanged", "good"),
            ("failed", "bad"),
            ("refused", "neither"),
            ("superseded", "neither"),
            ("held", "neither"),
        ] {
            told(&host, kind, &parcel(outcome, "")).await.unwrap().unwrap();
            let body: Value = serde_json::from_str(&host.asked()[0].body).unwrap();
            assert_eq!(body["state"], shows[word], "{kind} {outcome}");
        }
    }
}

/// What the tests above prove is no more than what the stand-in would notice.
#[tokio::test]
async fn the_stand_in_refuses_what_is_not_as_documented() {
    let host = Standin::listening().await;
    let connector = connector(true, Some(&host.authority)).unwrap();
    for kind in kinds() {
        let facts = facts(kind);
        let good = || requests(&host, kind, &parcel("deployed", "")).unwrap().0;
        let status = async |message: Message| {
            let _ = host::ask(&connector, &message).await;
            host.asked()[0].status
        };
        assert!(status(good()).await < 300, "{kind}");
        assert_eq!(status(Message { method: "PUT", ..good() }).await, 404, "{kind}");
        assert_eq!(status(Message { url: good().url + "x", ..good() }).await, 404, "{kind}");
        for (name, _) in good().headers {
            let headers = good().headers.into_iter().filter(|(other, _)| *other != name).collect();
            assert!([401, 415].contains(&status(Message { headers, ..good() }).await), "{kind} without {name}");
            let headers = good()
                .headers
                .into_iter()
                .map(|(other, value)| (other, if other == name { "x".to_owned() } else { value }));
            let wrong = status(Message { headers: headers.collect(), ..good() }).await;
            assert!([401, 415].contains(&wrong) || name == "idempotency-key", "{kind} with another {name}: {wrong}");
        }
        if kind == TargetKind::Webhook {
            continue; // any other body has another signature
        }
        let body: Value = serde_json::from_str(&good().body).unwrap();
        let invalid = facts["invalid"].as_u64().unwrap();
        let schema = &facts["requests"][0]["body"];
        let with = |change: &dyn Fn(&mut Value)| {
            let mut body = body.clone();
            change(&mut body);
            Message { body: body.to_string(), ..good() }
        };
        for key in schema["required"].as_array().unwrap() {
            let key = key.as_str().unwrap();
            let lacking = with(&|body| drop(body.as_object_mut().unwrap().remove(key)));
            assert_eq!(u64::from(status(lacking).await), invalid, "{kind} without {key}");
            let other = with(&|body| body[key] = json!(7));
            assert_eq!(u64::from(status(other).await), invalid, "{kind}: {key} is a number");
        }
        for (key, rule) in schema["properties"].as_object().unwrap() {
            let Some(most) = rule["maxLength"].as_u64() else { continue };
            let long = with(&|body| body[key] = json!("x".repeat(usize::try_from(most).unwrap() + 1)));
            assert_eq!(u64::from(status(long).await), invalid, "{kind}: {key} is too long");
        }
        assert_eq!(u64::from(status(with(&|body| body["more"] = json!("x"))).await), invalid, "{kind}");
    }
}

#[test]
fn a_host_that_there_is_one_of_is_known() {
    for kind in git_hosts() {
        let secret = contract::TargetSecret::parse(&json!({"token": "t"}).to_string(), kind);
        let base = secret.ok().map(|secret| secret.url.expose_secret().to_owned());
        assert_eq!(base.as_deref(), facts(kind)["base"].as_str(), "{kind}");
    }
}

/// What becomes of an answer.
enum Then {
    /// It is asked again: after so many seconds, if it says when.
    Later(Option<u64>),
    /// It is not, and the reason says this.
    Never(&'static str),
}

#[tokio::test]
async fn of_every_host_what_may_pass_is_tried_again_when_it_says_and_what_cannot_is_not() {
    use Answer::{HangUp, With};
    use Then::{Later, Never};
    const SECRET: &str = "does not take the secret";
    const REQUEST: &str = "does not take the request";
    const ELSEWHERE: &[(&str, &str)] = &[("location", "https://localhost/elsewhere")];
    let host = Standin::listening().await;
    for kind in kinds() {
        for (answer, then) in [
            (With(203, &[], "<html>"), Never(SECRET)),
            (With(401, &[], "canary"), Never(SECRET)),
            (With(403, &[], "canary"), Never(SECRET)),
            (With(403, &[("x-ratelimit-remaining", "0")], ""), Later(None)),
            (With(403, &[("retry-after", "60")], ""), Later(Some(60))),
            (With(403, &[], r#"{"message":"You have exceeded a secondary rate limit."}"#), Later(None)),
            (With(404, &[], "canary"), Never("has nothing there")),
            (With(410, &[], ""), Never("has nothing there")),
            (With(400, &[], ""), Never(REQUEST)),
            (With(409, &[], ""), Never(REQUEST)),
            (With(422, &[], "canary"), Never(REQUEST)),
            (With(301, ELSEWHERE, ""), Never("it redirects")),
            (With(302, ELSEWHERE, ""), Never("it redirects")),
            (With(307, ELSEWHERE, ""), Never("it redirects")),
            (With(308, ELSEWHERE, ""), Never("it redirects")),
            (With(429, &[("retry-after", "120")], ""), Later(Some(120))),
            (With(429, &[("retry-after", "soon")], ""), Later(None)),
            (With(429, &[], ""), Later(None)),
            (With(408, &[], ""), Later(None)),
            (With(425, &[], ""), Later(None)),
            (With(500, &[], "canary"), Later(None)),
            (With(502, &[], "<html>"), Later(None)),
            (With(503, &[("retry-after", "7")], ""), Later(Some(7))),
            (With(504, &[], ""), Later(None)),
            (HangUp, Later(None)),
        ] {
            host.answers_next([answer]);
            let verdict = told(&host, kind, &parcel("failed", "")).await.unwrap().unwrap_err();
            let [asked] = host.asked().try_into().unwrap_or_else(|_| panic!("{kind}: asked more than once"));
            let what = format!("{kind} answered {}: {verdict:?}", asked.status);
            assert!(!what.contains("canary"), "{what}");
            match (&verdict, then) {
                (Verdict::Later { after, .. }, Later(seconds)) => {
                    assert_eq!(*after, seconds.map(Duration::from_secs), "{what}");
                }
                (Verdict::Never { reason }, Never(word)) => assert!(reason.contains(word), "{what}"),
                _ => panic!("{what}"),
            }
        }
    }
}

#[tokio::test]
async fn a_time_of_day_is_understood_where_a_host_says_when() {
    let host = Standin::listening().await;
    let later = SystemTime::now() + Duration::from_secs(300);
    let date: &str = DateTime::from(later).fmt(Format::HttpDate).unwrap().leak();
    let seconds: &str = DateTime::from(later).secs().to_string().leak();
    let headers: [&'static [_]; 2] = [
        vec![("retry-after", date)].leak(),
        vec![("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", seconds)].leak(),
    ];
    for headers in headers {
        host.answers_next([Answer::With(403, headers, "")]);
        let verdict = told(&host, TargetKind::GitHub, &parcel("failed", "")).await.unwrap().unwrap_err();
        let Verdict::Later { after: Some(after), .. } = verdict else { panic!("{verdict:?}") };
        assert!((290..=300).contains(&after.as_secs()), "{headers:?}: {after:?}");
    }
}

#[tokio::test]
async fn gitlab_knows_a_project_by_its_whole_path() {
    let host = Standin::listening().await;
    told(&host, TargetKind::GitLab, &parcel("failed", "")).await.unwrap().unwrap();
    assert_eq!(host.asked()[0].path, format!("/gitlab/projects/acme%2Fgroup%2Fshop/statuses/{COMMIT}"));
}

#[tokio::test]
async fn gitlabs_word_for_a_status_that_is_set_already_is_none_of_a_fault() {
    let host = Standin::listening().await;
    // https://github.com/samcontesse/gitlab-merge-request-resource/issues/79, and as it was before there were reasons.
    let reason = r#" (Reason(s): Status cannot transition via \"succeed\")"#;
    for (from, is_told) in [("success", true), ("failed", false), ("successful", false)] {
        let reason = if from == "success" { reason } else { "" };
        let answer = format!(r#"{{"message":"Cannot transition status via :succeed from :{from}{reason}"}}"#);
        host.answers_next([Answer::With(400, &[], answer.leak())]);
        let result = told(&host, TargetKind::GitLab, &parcel("deployed", "")).await.unwrap();
        assert_eq!(result.is_ok(), is_told, "{from}: {result:?}");
    }
}

#[tokio::test]
async fn a_host_that_takes_a_request_and_does_not_answer_costs_some_seconds() {
    for answer in [Answer::Nothing, Answer::TooLittle] {
        let (host, begin) = (Standin::listening().await, Instant::now());
        host.answers_next([answer]);
        let verdict = told(&host, TargetKind::GitLab, &parcel("failed", "")).await.unwrap().unwrap_err();
        assert!(matches!(verdict, Verdict::Later { after: None, .. }), "{verdict:?}");
        assert!((9..20).contains(&begin.elapsed().as_secs()), "{:?}", begin.elapsed());
        tokio::time::resume();
    }
}

#[tokio::test]
async fn a_host_that_takes_a_connection_and_says_nothing_costs_some_seconds() {
    let mute = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}/", mute.local_addr().unwrap().port());
    let message = Message { method: "POST", url, headers: Vec::new(), body: String::new() };
    let (connector, begin) = (connector(true, None).unwrap(), Instant::now());
    let taking = async {
        let taken = mute.accept().await.unwrap();
        tokio::time::pause();
        taken
    };
    let (verdict, _) = tokio::join!(host::ask(&connector, &message), taking);
    assert!(matches!(verdict, Err(Verdict::Later { after: None, .. })), "{verdict:?}");
    assert!((4..20).contains(&begin.elapsed().as_secs()), "{:?}", begin.elapsed());
}

#[tokio::test]
async fn a_deployment_is_made_where_the_newest_is_of_another_commit_which_is_live_no_more() {
    let host = Standin::listening().await;
    let deploy = async |commit: &str| {
        let mut parcel = parcel("deployed", "");
        parcel.report["commit"] = json!(commit);
        told(&host, TargetKind::GitHub, &parcel).await.unwrap().unwrap();
    };
    let live = |commit: &str, states: &[&str]| {
        let states: Vec<_> = states.iter().map(|state| (*state).to_owned()).collect();
        (commit.to_owned(), "pre production&x".to_owned(), states)
    };
    let other = "b".repeat(40);
    deploy(COMMIT).await;
    deploy(COMMIT).await;
    assert_eq!(host.deployments(), [live(COMMIT, &["success", "success"])], "one of a commit");
    deploy(&other).await;
    assert_eq!(host.deployments(), [live(COMMIT, &["success", "success", "inactive"]), live(&other, &["success"])]);
    host.asked();
    told(&host, TargetKind::GitHub, &parcel("failed", "")).await.unwrap().unwrap();
    assert_eq!(host.asked().len(), 1, "what failed makes no deployment");
}

#[tokio::test]
async fn a_broken_list_of_deployments_makes_none() {
    let host = Standin::listening().await;
    host.answers_next([Answer::With(201, &[], "{}"), Answer::With(200, &[], "[{\"id\":")]);
    let verdict = told(&host, TargetKind::GitHub, &parcel("deployed", "")).await.unwrap().unwrap_err();
    assert!(matches!(verdict, Verdict::Later { after: None, .. }), "{verdict:?}");
    assert_eq!(host.asked().len(), 2);
    assert!(host.deployments().is_empty());
}

#[test]
fn a_pause_grows_with_the_tries_and_is_no_shorter_than_a_host_asks_for_up_to_an_hour() {
    for (tries, asked_for, seconds) in [
        (1, None, 10),
        (2, None, 20),
        (5, None, 160),
        (9, None, 900),
        (1, Some(120), 120),
        (9, Some(120), 900),
        (1, Some(90_000), 3600),
    ] {
        assert_eq!(postponed(tries, asked_for.map(Duration::from_secs)).as_secs(), seconds, "{tries} {asked_for:?}");
    }
}
