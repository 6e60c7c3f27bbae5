//! Our grammar of branches against git's own judgement, on 100,000 names: nothing that we accept may be refused by git.

#![allow(clippy::panic, clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{Write, stderr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use contract::Branch;

const NAMES: usize = 100_000;
/// Of these names of all lengths up to four are tried. Each stands for a rule of git or for a trick of ours.
const NASTY: [char; 15] = ['#', 'a', '.', '/', '-', '@', '{', '~', '^', ':', '?', '*', '\\', '\n', 'é'];
const GOOD: [&str; 18] = [
    "main",
    "master",
    "develop",
    "release/1.2",
    "release/v1.0.0-rc.1",
    "feature/PROJ-123_fix",
    "dependabot/npm_and_yarn/a-1.2.3",
    "users/ada/topic",
    "hotfix/2026-11-23",
    "_x",
    "gh-pages",
    "a/b/c/d/e/f/g/h/i/j/k/l",
    "0123456789abcdef0123456789abcdef0123456",
    "renovate/pin-dependencies",
    "dependabot/npm_and_yarn/@types/node-20.1.0",
    "renovate/@types+node",
    "feature/ABC-123_(x)",
    "fix/#12",
];
/// What a mutation puts in.
const PIECES: [&str; 52] = [
    "",
    ".",
    "..",
    "/",
    "//",
    "-",
    "--",
    "@",
    "@{",
    "@{-1}",
    "{",
    "}",
    "~",
    "~1",
    "^",
    ":",
    "?",
    "*",
    "[",
    "\\",
    " ",
    "\t",
    "\n",
    "\r",
    "\u{1b}",
    "\u{7f}",
    "\u{0}",
    "\u{80}",
    "é",
    "а",
    "\u{200b}",
    "\u{202e}",
    ".lock",
    ".lock/",
    "./",
    "/.",
    "HEAD",
    "refs/",
    "refs/heads/",
    "$(id)",
    ";",
    "'",
    "\"",
    "a",
    "Z",
    "0",
    "_",
    "+",
    "#",
    "(",
    ")",
    ",",
];
/// What a mutation puts in half of the time, so that many names stay good.
const HARMLESS: [&str; 14] =
    ["a", "Z", "0", "_", "_/", "x/y", "1.2", "q-", "a.b", "b/c/d", "a.#b", "x/@", "+1", "(x),"];
const BAD: [&str; 24] = [
    "",
    "HEAD",
    "@",
    "-",
    "--",
    "-main",
    "--upload-pack=x",
    "refs/heads/main",
    "refs/tags/v1",
    "main:refs/heads/x",
    "+main",
    "main..x",
    "main^",
    "main~1",
    "main@{1}",
    ".git",
    ".git/config",
    "main.lock",
    "a.lock/b",
    "../../x",
    "$(touch${IFS}x)",
    "0123456789abcdef0123456789abcdef01234567",
    "0123456789ABCDEF0123456789ABCDEF01234567",
    "main\n",
];

/// A small generator (xorshift64*), so that every run tries the same names.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let thrown = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(thrown).unwrap() % bound
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

fn names() -> Vec<String> {
    let mut names: BTreeSet<String> = BAD.into_iter().chain(GOOD).map(str::to_owned).collect();
    for bytes in [199, 200, 201, 255, 256] {
        names.insert("x".repeat(bytes));
        names.insert(format!("a/{}", "x".repeat(bytes - 2)));
    }
    for digits in [39, 40, 41, 63, 64, 65] {
        names.insert("a".repeat(digits));
        names.insert("F".repeat(digits));
    }
    let mut shorter = vec![String::new()];
    for _ in 0..4 {
        shorter = shorter.iter().flat_map(|name| NASTY.map(|c| format!("{name}{c}"))).collect();
        names.extend(shorter.iter().cloned());
    }
    let mut dice = Dice(0x1509_2026);
    while names.len() < NAMES {
        let mut name = dice.pick(&GOOD).to_owned();
        for _ in 0..=dice.below(3) {
            let places: Vec<_> = name.char_indices().map(|(place, _)| place).chain([name.len()]).collect();
            let (start, end) = (dice.pick(&places), dice.pick(&places));
            let piece = if dice.below(2) == 0 { dice.pick(&HARMLESS) } else { dice.pick(&PIECES) };
            match dice.below(3) {
                0 => name.insert_str(start, piece),
                1 if start < end && end - start < 4 => name.replace_range(start..end, piece),
                _ => name = format!("{}{piece}{}", dice.pick(&GOOD), &name[start..]),
            }
        }
        names.insert(name);
    }
    names.into_iter().collect()
}

/// A fresh bare repository below cargo's folder for tests.
fn repository() -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("branches-{}.git", std::process::id()));
    let status = Command::new("git").args(["init", "--quiet", "--bare"]).arg(&path).status().unwrap();
    assert!(status.success());
    path
}

/// git's judgement of each name as the branch of a push. One process per name would take minutes; a server judges all names of
/// one push by the very function behind `git check-ref-format`, and answers for each. Deletions that the server does not allow
/// are what it can judge without doing anything.
fn judge(names: &[&str]) -> Vec<bool> {
    let repository = repository();
    let request = repository.join("request");
    let mut packets = Vec::new();
    for (index, name) in names.iter().enumerate() {
        let capability = if index == 0 { "\0report-status" } else { "" };
        // git takes one line end off the packet, so that one of the name's own stays.
        let command = format!("{} {} refs/heads/{name}{capability}\n", "1".repeat(40), "0".repeat(40));
        write!(packets, "{:04x}{command}", command.len() + 4).unwrap();
    }
    packets.extend(b"0000");
    fs::write(&request, packets).unwrap();
    let output = Command::new("git")
        .args(["-c", "receive.denyDeletes=true", "receive-pack", "--stateless-rpc"])
        .arg(&repository)
        .stdin(File::open(&request).unwrap())
        .stderr(Stdio::null())
        .output()
        .unwrap();
    fs::remove_dir_all(&repository).unwrap();
    assert!(output.status.success());

    let mut answers = output.stdout.as_slice();
    let mut next = || {
        let bytes = usize::from_str_radix(std::str::from_utf8(&answers[..4]).unwrap(), 16).unwrap();
        let (answer, rest) = answers.split_at(bytes);
        answers = rest;
        &answer[4..]
    };
    assert_eq!(next(), b"unpack ok\n");
    names
        .iter()
        .map(|name| {
            let answer = std::str::from_utf8(next()).unwrap();
            match answer.strip_prefix(&format!("ng refs/heads/{name} ")) {
                Some("deletion prohibited\n") => true,
                Some("funny refname\n") => false,
                _ => panic!("{name:?}: {answer:?}"),
            }
        })
        .collect()
}

#[test]
fn git_refuses_no_branch_that_we_accept() {
    let names = names();
    // No C program can be asked for a name with a NUL; git refuses every control character.
    let (with_nul, names): (Vec<_>, Vec<_>) = names.iter().map(String::as_str).partition(|name| name.contains('\0'));
    assert!(with_nul.iter().all(|name| Branch::parse(name).is_err()));

    let judgements = judge(&names);
    let mut stricter = 0;
    let mut accepted = Vec::new();
    for (name, git_accepts) in names.iter().zip(judgements) {
        match (Branch::parse(name).is_ok(), git_accepts) {
            (true, true) => accepted.push(*name),
            (true, false) => panic!("we accept {name:?}, git refuses it"),
            (false, true) => stricter += 1,
            (false, false) => {}
        }
    }
    // Too few of either would prove nothing.
    assert!(accepted.len() > 10_000, "only {} accepted", accepted.len());
    assert!(stricter > 10_000, "only {stricter} that git accepts and we refuse");
    writeln!(
        stderr(),
        "{} branch names: git accepts {}, we accept {}, none of them refused by git; {stricter} that git accepts we refuse",
        names.len() + with_nul.len(),
        accepted.len() + stricter,
        accepted.len(),
    )
    .unwrap();

    // As the short name of a branch git is stricter than on refs: no leading dash, no HEAD, no @{.
    let step = accepted.len() / 300;
    for name in accepted.iter().step_by(step) {
        let output = Command::new("git").args(["check-ref-format", "--branch", name]).output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("{name}\n"));
    }
}

#[test]
fn what_git_takes_for_something_else_than_a_branch_is_refused_though_it_may_be_a_ref() {
    for name in BAD {
        assert!(Branch::parse(name).is_err(), "{name:?}");
    }
    for name in GOOD {
        assert!(Branch::parse(name).is_ok(), "{name:?}");
    }
}
