//! [`Comparison`]: runs steps on several subjects, whose results must be equal.

use super::steps::{Random, Step};
use super::subject::Subject;
use breakerbox_fleet::protocol::{Micros, Version};
use std::fmt::Debug;

/// Runs steps on several subjects.
pub(crate) struct Comparison<'a> {
    subjects: Vec<&'a mut dyn Subject>,
    now: Micros,
    /// The versions that occurred, for later steps.
    versions: Vec<Version>,
}

impl<'a> Comparison<'a> {
    /// Compares the other subjects with the first.
    pub(crate) fn new(subjects: Vec<&'a mut dyn Subject>, now: Micros) -> Self {
        Self {
            subjects,
            now,
            versions: vec![Version(0)],
        }
    }

    /// Runs random steps, the same ones for the same seed.
    ///
    /// # Errors
    ///
    /// Returns the steps up to the first difference, and the difference.
    pub(crate) fn run_random(&mut self, seed: u64, steps: usize) -> Result<(), String> {
        let mut random = Random::new(seed);
        let mut trace = Vec::new();
        for _ in 0..steps {
            self.now = random.later(self.now);
            let step = random.step(self.now, &self.versions);
            trace.push(format!("{} {step:?}", self.now));
            self.run(&step).map_err(|difference| {
                let latest = trace[trace.len().saturating_sub(12)..].join("\n");
                format!("seed {seed}, step {}:\n{latest}\n{difference}", trace.len())
            })?;
        }
        Ok(())
    }

    /// Runs one step.
    ///
    /// # Errors
    ///
    /// Returns the difference, if the results are not equal.
    pub(crate) fn run(&mut self, step: &Step) -> Result<(), String> {
        let now = self.now;
        match step {
            Step::Submit { hello, seen, ops } => {
                let expected = self.same(|subject| subject.submit(hello, *seen, ops, now))?;
                self.versions.push(expected.0.head);
            }
            Step::Pull {
                hello,
                since,
                limit,
            } => {
                let pulled = self.same(|subject| subject.pull(hello, *since, *limit, now))?;
                self.versions.push(pulled.next);
                self.versions
                    .extend(pulled.records.iter().map(|record| record.version));
            }
            Step::Command {
                hello,
                seen,
                command,
            } => {
                let (commanded, _) =
                    self.same(|subject| subject.command(hello, *seen, command, now))?;
                self.versions.push(commanded.head);
                let commands = commanded.commands.iter();
                self.versions
                    .extend(commands.map(|command| command.version));
            }
            Step::PutCommands { text } => self.same(|subject| subject.put_commands(text))?,
            Step::Leave { hello } => self.same(|subject| subject.leave(hello))?,
            Step::Put {
                name,
                text,
                version,
            } => self.same(|subject| subject.put(name, text, *version))?,
            Step::SetHead { text } => self.same(|subject| subject.set_head(text))?,
            Step::SetMember { member, seen } => {
                self.same(|subject| subject.set_member(member, *seen))?;
            }
        }
        self.same(|subject| subject.records())?;
        self.same(|subject| subject.commands())?;
        Ok(())
    }

    /// Moves the time of all subjects.
    pub(crate) fn set_now(&mut self, now: Micros) {
        self.now = now;
    }

    /// Returns names and texts of all records of the first subject.
    pub(crate) fn records(&mut self) -> Vec<(String, String)> {
        self.subjects[0].records()
    }

    fn same<T: Debug + PartialEq>(
        &mut self,
        mut run: impl FnMut(&mut dyn Subject) -> T,
    ) -> Result<T, String> {
        let (first, others) = self.subjects.split_first_mut().unwrap();
        let expected = run(*first);
        for other in others {
            let found = run(*other);
            if found != expected {
                let (first, other) = (first.name(), other.name());
                return Err(format!("{first}: {expected:#?}\n{other}: {found:#?}"));
            }
        }
        Ok(expected)
    }
}
