//! A registered project's branches: which commit was the head when, and which one is live. Histories are lines, so a commit
//! is its number on its branch.

use std::time::Duration;

/// A commit's place on its branch.
pub type Number = usize;

#[derive(Debug)]
pub struct Branch {
    pub name: String,
    /// Tells the commits of this branch from those of all others.
    mark: u32,
    pushes: Vec<Push>,
    /// What the worker recorded as live: when, and which commit.
    pub records: Vec<(Duration, Number)>,
}

#[derive(Debug)]
struct Push {
    at: Duration,
    works: bool,
}

impl Branch {
    pub fn new(name: &str, mark: u32) -> Self {
        Self {
            name: name.to_owned(),
            mark,
            pushes: vec![Push { at: Duration::ZERO, works: true }],
            records: Vec::new(),
        }
    }

    /// A new head, of which every build works or every build fails.
    pub fn push(&mut self, at: Duration, works: bool) {
        self.pushes.push(Push { at, works });
    }

    pub fn head(&self) -> Number {
        self.pushes.len() - 1
    }

    pub fn head_at(&self, time: Duration) -> Number {
        self.pushes.partition_point(|push| push.at <= time).saturating_sub(1)
    }

    pub fn works(&self, commit: Number) -> bool {
        self.pushes[commit].works
    }

    pub fn live(&self) -> Option<Number> {
        self.records.last().map(|(_, commit)| *commit)
    }

    pub fn id(&self, commit: Number) -> String {
        format!("{:08x}{commit:032x}", self.mark)
    }

    /// The commit of that id, if it is on this branch.
    pub fn commit(&self, id: &str) -> Option<Number> {
        let (mark, number) = id.split_at_checked(8)?;
        let commit = usize::from_str_radix(number, 16).ok()?;
        (u32::from_str_radix(mark, 16) == Ok(self.mark) && commit <= self.head()).then_some(commit)
    }
}
