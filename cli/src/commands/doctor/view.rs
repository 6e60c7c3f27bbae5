//! How `doctor` looks: the worst first, each with what to do. What is good is counted; `--json` has all of it.

use super::{Doctor, Finding, Grade};
use crate::pipeline::Pipeline;
use crate::terminal::{Meaning, Terminal, counted};

pub fn findings(pipeline: &Pipeline, doctor: &Doctor, terminal: &mut Terminal) {
    let described = &pipeline.description;
    let place = format!("{} in {}, account {}", described.config_path, described.region, described.account);
    terminal.line([Meaning::Quiet.of(place)]);
    for finding in doctor.findings.iter().filter(|finding| finding.grade != Grade::Good) {
        show(finding, terminal);
    }
    let grades = [
        (Grade::Problem, Meaning::Bad, "problem"),
        (Grade::Warning, Meaning::Pending, "warning"),
        (Grade::Unknown, Meaning::Quiet, "unknown"),
    ];
    let counts: Vec<_> = grades
        .into_iter()
        .filter_map(|(grade, meaning, word)| match doctor.count(grade) {
            0 => None,
            // It is no noun.
            count if grade == Grade::Unknown => Some(meaning.of(format!("{count} {word}"))),
            count => Some(meaning.of(counted(count, word))),
        })
        .collect();
    let looked_at = format!("{} looked at: ", doctor.findings.len());
    let mut line = vec![looked_at.into()];
    if counts.is_empty() {
        line.push(Meaning::Good.of("nothing stands in the way"));
    }
    for (position, piece) in counts.into_iter().enumerate() {
        if position > 0 {
            line.push(", ".into());
        }
        line.push(piece);
    }
    terminal.line(line);
}

/// In lines and not in a table, so that no command is broken up that is to be copied.
fn show(finding: &Finding, terminal: &mut Terminal) {
    let grade = match finding.grade {
        Grade::Problem => Meaning::Bad.of("problem  "),
        Grade::Warning => Meaning::Pending.of("warning  "),
        Grade::Unknown => Meaning::Quiet.of("unknown  "),
        Grade::Good => Meaning::Good.of("good     "),
    };
    let project = finding.project.as_ref().map(|project| format!("{project} ")).unwrap_or_default();
    let subject = Meaning::Subject.of(format!("{project}{}", finding.check));
    terminal.line([grade, subject, format!(": {}", finding.saw).into()]);
    if let Some(to_do) = &finding.to_do {
        terminal.line([Meaning::Quiet.of("  to do: "), to_do.as_str().into()]);
    }
}
