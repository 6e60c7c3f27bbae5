//! `deployRoleArn`: whose credentials the command gets.

use crate::scene::Scene;
use crate::ssm::{FORBIDDEN_ROLE, SESSION};

#[test]
fn the_command_gets_a_session_of_the_deploy_role_that_says_what_is_deployed() {
    let scene = Scene::new();
    let expected = SESSION.join(" ");
    // Prints all that it has, for the mask to prove itself.
    let script = format!(
        "#!/bin/sh
        echo names $(env | grep ^AWS_ | grep -v ENDPOINT | cut -d= -f1 | sort)
        test \"$AWS_ACCESS_KEY_ID $AWS_SECRET_ACCESS_KEY $AWS_SESSION_TOKEN\" = '{expected}' && echo of the role
        env\n"
    );
    let commit = scene.commit("look", &script);
    scene.register(r#""deployRoleArn":"arn:aws:iam::210987654321:role/deploy""#);
    let run = scene.run_with(&[
        ("AWS_SESSION_TOKEN", "of-the-build"),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1/of-the-build"),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "of-the-build"),
    ]);
    assert_eq!(run.status, 0, "{}", run.log);
    let names = "names AWS_ACCESS_KEY_ID AWS_REGION AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN";
    for line in [names, "of the role", "AWS_SECRET_ACCESS_KEY=***", "AWS_SESSION_TOKEN=***"] {
        assert!(run.log.lines().any(|known| known == line), "{line} is missing in {}", run.log);
    }
    assert!(!run.log.contains("of-the-build") && !run.log.contains("canary"), "{}", run.log);

    let [asked] = &scene.ssm.asked()[..] else { panic!("{:?}", scene.ssm.asked()) };
    for part in [
        "RoleArn=arn%3Aaws%3Aiam%3A%3A210987654321%3Arole%2Fdeploy",
        &format!("RoleSessionName=iwomp-trigger-1-{}", &commit[..12]),
        "Tags.member.1.Key=project&Tags.member.1.Value=demo",
        "Tags.member.2.Key=branch&Tags.member.2.Value=main",
        &format!("Tags.member.3.Key=commit&Tags.member.3.Value={commit}"),
        "Tags.member.4.Key=trigger&Tags.member.4.Value=trigger-1",
    ] {
        assert!(asked.contains(part), "{part} is missing in {asked}");
    }
}

#[test]
fn a_deploy_role_that_may_not_be_taken_ends_the_deployment_before_the_command() {
    let scene = Scene::new();
    scene.commit("one", "#!/bin/sh\necho RAN\n");
    scene.register(&format!(r#""deployRoleArn":"{FORBIDDEN_ROLE}""#));
    let run = scene.run();
    assert_eq!((run.status, run.outcome()["class"].as_str()), (69, Some("aws")), "{}", run.log);
    for part in [FORBIDDEN_ROLE, "AccessDenied: not authorized to perform: sts:AssumeRole", "sts:TagSession"] {
        assert!(run.outcome()["reason"].as_str().unwrap().contains(part), "{part} is missing in {}", run.log);
    }
    assert!(!run.log.contains("RAN"), "{}", run.log);
}

#[test]
fn without_a_deploy_role_the_command_has_the_builds_credentials() {
    let scene = Scene::new();
    scene.commit("look", "#!/bin/sh\necho id $AWS_ACCESS_KEY_ID\n");
    let run = scene.run();
    assert!(run.status == 0 && run.log.contains("id test"), "{}", run.log);
    assert!(scene.ssm.asked().is_empty());
}
