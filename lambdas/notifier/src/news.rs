//! Reads the builds of a project that nobody was told of yet.

use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use aws_sdk_codebuild::Client;
use aws_sdk_codebuild::primitives::DateTime;
use aws_sdk_codebuild::types::Build;
use contract::{ConfigPath, ProjectName, parameter};
use iwomp_aws::aws_error;
use iwomp_aws::builds::{self, has_ended, is_of, is_question, number};

use crate::mark::Mark;

/// Of 100 builds each. A thousand builds without one report are more than a day of the project's cap; a sweep could not tell
/// many more in its time either.
const MAX_PAGES: usize = 10;
/// Without a mark: how long ago a build may have ended to be news still. Long enough for a project whose first build came
/// before its first sweep; short enough that a notifier added to an old pipeline does not tell its whole past.
const FIRST_LOOK: Duration = Duration::from_secs(24 * 60 * 60);

/// Builds that were not told yet.
#[derive(Debug)]
pub struct News {
    /// In the order of their numbers; those that still run among them.
    pub builds: Vec<Build>,
    /// There were more than are read at once, older than these.
    pub cut: bool,
}

/// Reads what came after the mark. None if there is no such project in CodeBuild.
pub async fn since(
    codebuild: &Client,
    config_path: &ConfigPath,
    project: &ProjectName,
    mark: Option<&Mark>,
    now: SystemTime,
) -> Result<Option<News>> {
    let build_project = parameter::build_project(config_path, project);
    let reading = || format!("reading the builds of {build_project}");
    let mut news = News { builds: Vec::new(), cut: true };
    let mut horizon = None;
    let mut token = None;
    for _ in 0..MAX_PAGES {
        let page = match builds::page(codebuild, &build_project, token).await {
            Err(error) if error.as_service_error().is_some_and(|error| error.is_resource_not_found_exception()) => {
                return Ok(None);
            }
            page => page.map_err(aws_error).with_context(reading)?,
        };
        token = page.next_token;
        let ids = page.ids.unwrap_or_default();
        let newest_is_told = horizon.is_none() && mark.is_some_and(|mark| ids.first() == Some(&mark.build));
        let builds = if newest_is_told {
            Vec::new()
        } else {
            builds::get(codebuild, ids).await.map_err(aws_error).with_context(reading)?
        };
        let horizon = horizon.get_or_insert_with(|| Horizon::of(mark, builds.iter().map(number).max(), now));
        let (new, told): (Vec<_>, Vec<_>) = builds.into_iter().partition(|build| horizon.is_before(build));
        // Who asks a question looks at the answer, and nothing was deployed that others are to be told of.
        let is_told = |build: &Build| is_of(build, config_path) && !is_question(build);
        news.builds.extend(new.into_iter().filter(is_told));
        if newest_is_told || !told.is_empty() || token.is_none() {
            news.cut = false;
            break;
        }
    }
    news.builds.sort_by_key(number);
    Ok(Some(news))
}

/// What separates builds that were told from those that were not.
enum Horizon {
    Number(i64),
    /// Ended up to then, in seconds since the epoch.
    Ended(i64),
}

impl Horizon {
    fn of(mark: Option<&Mark>, newest: Option<i64>, now: SystemTime) -> Self {
        match (mark, newest) {
            (None, _) => {
                Self::Ended(DateTime::from(now.checked_sub(FIRST_LOOK).unwrap_or(SystemTime::UNIX_EPOCH)).secs())
            }
            // The project was made anew, and counts from one again: its builds would stay below the mark for long.
            (Some(mark), Some(newest)) if newest < mark.build_number => Self::Ended(mark.time.secs()),
            (Some(mark), _) => Self::Number(mark.build_number),
        }
    }

    fn is_before(&self, build: &Build) -> bool {
        match self {
            Self::Number(told) => number(build) > *told,
            Self::Ended(told) => !has_ended(build) || build.end_time().is_some_and(|end| end.secs() >= *told),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{Aws, EPOCH_SECONDS, build, config_path, mark, project, with_variables};
    use aws_sdk_codebuild::types::StatusType;

    /// The numbers of the news of demo, and whether there was more, at the time when build `ended` had just ended.
    async fn numbers(aws: &Aws, mark: Option<&str>, ended: i64) -> (Vec<i64>, bool) {
        let (notifier, _) = aws.notifier();
        let mark = mark.map(|text| Mark::parse(text).unwrap());
        let now = SystemTime::try_from(DateTime::from_secs(EPOCH_SECONDS + 60 * ended)).unwrap();
        let news =
            since(&notifier.codebuild, &config_path(), &project("demo"), mark.as_ref(), now).await.unwrap().unwrap();
        (news.builds.iter().map(number).collect(), news.cut)
    }

    fn pages_of(page: usize, numbers: impl Iterator<Item = i64>) -> Aws {
        let builds = numbers.map(|number| build(number, StatusType::Succeeded)).collect();
        Aws { builds, page, ..Aws::default() }
    }

    #[tokio::test]
    async fn pages_are_read_until_the_mark_and_no_further() {
        let aws = pages_of(3, 1..=20);
        assert_eq!(numbers(&aws, Some(&mark(12)), 20).await, ((13..=20).collect(), false));
        assert_eq!(numbers(&aws, Some(&mark(17)), 20).await, ((18..=20).collect(), false)); // just one page
        assert_eq!(numbers(&pages_of(3, 1..=3), Some(&mark(0)), 3).await, ((1..=3).collect(), false));
    }

    #[tokio::test]
    async fn more_than_ten_pages_are_cut_and_said_to_be() {
        assert_eq!(numbers(&pages_of(1, 1..=11), Some(&mark(0)), 11).await, ((2..=11).collect(), true));
    }

    #[tokio::test]
    async fn without_a_mark_only_the_last_day_is_news() {
        let day = 24 * 60;
        let aws = pages_of(100, [1, 2, day, day + 1].into_iter());
        assert_eq!(numbers(&aws, None, day + 2).await, (vec![2, day, day + 1], false));
        let running = Aws { builds: vec![build(1, StatusType::InProgress)], ..Aws::default() };
        assert_eq!(numbers(&running, None, day).await, (vec![1], false));
        assert_eq!(numbers(&Aws::default(), None, 0).await, (vec![], false));
    }

    #[tokio::test]
    async fn a_project_that_was_made_anew_is_not_silent_until_it_reaches_the_old_mark() {
        let aws = pages_of(100, 1..=2);
        let at_half_past_six = |second| mark(50).replace("06:00:30", second);
        assert_eq!(numbers(&aws, Some(&at_half_past_six("06:01:30")), 2).await, (vec![2], false));
        // Neither is it told again when CodeBuild's list is a little behind.
        assert_eq!(numbers(&aws, Some(&at_half_past_six("06:02:01")), 2).await, (vec![], false));
    }

    #[tokio::test]
    async fn what_an_operator_asked_of_a_build_is_no_news_and_a_deployment_is_no_question() {
        let news = |variables| {
            let aws = Aws { builds: vec![with_variables(variables)], ..Aws::default() };
            async move { numbers(&aws, Some(&mark(0)), 7).await.0 }
        };
        assert_eq!(news(&[("QUESTION", "git-host")]).await, Vec::<i64>::new());
        assert_eq!(news(&[("QUESTION", "git-host"), ("GITBRANCH", "main")]).await, [7]);
    }

    #[tokio::test]
    async fn a_project_that_does_not_exist_has_no_news() {
        let (notifier, _) = Aws { missing: vec!["demo"], ..Aws::default() }.notifier();
        let news = since(&notifier.codebuild, &config_path(), &project("demo"), None, SystemTime::now()).await;
        assert!(news.unwrap().is_none());
    }
}
