//! What a launcher knows of a project, from memory where that is enough and from AWS where it is not.

use std::sync::Arc;
use std::time::SystemTime;

use contract::{ProjectName, Trigger};

use super::Launcher;
use crate::builds::{self, History};
use crate::delivery::Delivery;
use crate::fate::Stop;
use crate::{register, turn};

impl Launcher {
    /// The register entry, and when it was read.
    pub(super) async fn entry(&self, project: &ProjectName) -> Result<(SystemTime, Arc<register::Entry>), Stop> {
        let now = (self.now)();
        match self.memory.entry(project, now) {
            Some(kept) => Ok(kept),
            None => Ok((now, self.read_entry(project).await?)),
        }
    }

    pub(super) async fn read_entry(&self, project: &ProjectName) -> Result<Arc<register::Entry>, Stop> {
        let asked = (self.now)();
        let read = register::read(&self.aws.ssm, &self.environment.config_path, project).await;
        if let Err(Stop::Failed { .. }) = &read {
            self.memory.note_register_failure((self.now)());
        }
        let entry = Arc::new(read?);
        self.memory.keep_entry(project, asked, entry.clone());
        Ok(entry)
    }

    /// The project's builds, all that began after `back_to` among them, and when they were read.
    pub(super) async fn history(
        &self,
        project: &ProjectName,
        back_to: SystemTime,
    ) -> Result<(SystemTime, Arc<History>), Stop> {
        let asked = (self.now)();
        // While a build runs nobody starts another, so that older ones do not matter.
        let is_enough = |history: &History| history.running().is_some() || history.reaches(back_to);
        if let Some(kept) = self.memory.history(project, asked).filter(|(_, history)| is_enough(history)) {
            return Ok(kept);
        }
        let history = match self.still_running(project).await? {
            Some(history) => history,
            None => {
                let config_path = &self.environment.config_path;
                Arc::new(builds::read(&self.aws.codebuild, config_path, project, back_to).await?)
            }
        };
        self.memory.keep_history(project, asked, history.clone());
        Ok((asked, history))
    }

    /// The project's builds as they were, if the one that ran then runs still: then no other has begun.
    async fn still_running(&self, project: &ProjectName) -> Result<Option<Arc<History>>, Stop> {
        let Some((_, history)) = self.memory.last_history(project) else { return Ok(None) };
        let Some((id, _)) = history.running() else { return Ok(None) };
        let runs = builds::runs(&self.aws.codebuild, id).await?;
        Ok(runs.then_some(history))
    }

    /// What is known of the project's builds before the register is asked. For a trigger that comes for the first time AWS is
    /// asked only if a build is known that may run still; and of it must be known, too, that the register lets it in.
    pub(super) async fn look(
        &self,
        delivery: &Delivery,
        trigger: &Trigger,
    ) -> Result<Option<(SystemTime, Arc<History>)>, Stop> {
        let (project, now) = (&trigger.project, (self.now)());
        let last = self.memory.last_history(project);
        let believed =
            last.as_ref().filter(|known| turn::is_believed(known, trigger, delivery, now, &self.environment.limits));
        if delivery.tries <= 1 {
            let runs = || last.as_ref().is_some_and(|(_, history)| history.probably_runs(now));
            if !self.memory.let_in(trigger) || (believed.is_none() && !runs()) {
                return Ok(None);
            }
        }
        // But whoever has just come may find that the build has ended, and is not to wait for what one call tells.
        if let Some(known) = believed.filter(|_| delivery.tries > 1) {
            return Ok(Some(known.clone()));
        }
        match self.history(project, delivery.published).await {
            Ok(known) => Ok(Some(known)),
            // There may be no such project: the register tells.
            Err(Stop::Failed { kind, .. }) if kind.is_lasting() => Ok(None),
            Err(stop) => Err(stop),
        }
    }
}
