//! [`Files`]: the sources and their formats, from which imports are opened.

use super::arguments::TrafficArguments;
use super::format::{Format, format};
use super::format_name::FormatName;
use super::merged::Merged;
use super::source::Source;
use crate::progress;
use crate::table::escaped;
use breakerbox_replay::import::{Import, ImportError, Importer};
use indicatif::ProgressBar;
use std::error::Error;
use std::time::Duration;

/// The files of the traffic.
#[derive(Debug)]
pub(crate) struct Files {
    pub(super) files: Vec<TrafficFile>,
    importer: Importer,
}

/// A file of the traffic.
#[derive(Debug)]
pub(super) struct TrafficFile {
    pub(super) source: Source,
    pub(super) format: FormatName,
    pub(super) is_guessed: bool,
    how: Format,
    /// The start of its first call. Files are sorted by it.
    first: Duration,
}

impl Files {
    pub(super) fn open(arguments: &TrafficArguments, seed: u64) -> Result<Self, Box<dyn Error>> {
        let mut importer = Importer::new()
            .reorder_within(arguments.reorder_within)
            .seed(seed)
            .sampled(arguments.sampled)
            .header(!arguments.no_header)
            .delimiter(arguments.delimiter);
        if let Some(instances) = arguments.instances {
            importer = importer.instances(instances);
        }
        let mut files = Vec::new();
        let is_alone = arguments.files.len() == 1;
        for path in &arguments.files {
            let source = Source::open(path)?;
            let file = TrafficFile::open(source, arguments);
            let mut file = file.map_err(|(name, error)| named(&name, &*error))?;
            if !is_alone {
                file.find_first(&importer, arguments.instances.is_some())
                    .map_err(|error| named(&file.source.name, &*error))?;
            }
            files.push(file);
        }
        files.sort_by_key(|file| file.first);
        Ok(Self { files, importer })
    }

    /// Reads the calls of all files, in the order of their start.
    pub(crate) fn read(&self, label: &'static str) -> Result<Merged, Box<dyn Error>> {
        let length = self.files.iter().map(|file| file.source.length).sum();
        let bar = progress::bytes(label, Some(length));
        // All of them are opened now, because an error is known best before calls are replayed. What a
        // file has in memory begins with its first call.
        let open = |file: &TrafficFile| {
            let import = file.import(&self.importer, &bar);
            let import = import.map_err(|error| named(&file.source.name, &*explained(error)))?;
            Ok((file.first, import))
        };
        let imports = self.files.iter().map(open);
        let imports: Vec<_> = imports.collect::<Result<_, Box<dyn Error>>>()?;
        Ok(Merged::new(imports, bar))
    }
}

impl TrafficFile {
    fn open(
        source: Source,
        arguments: &TrafficArguments,
    ) -> Result<Self, (String, Box<dyn Error>)> {
        let line = source.first_line().map_err(Into::into);
        match line.and_then(|line| format(arguments, &line)) {
            Ok((name, how, is_guessed)) => Ok(Self {
                source,
                format: name,
                is_guessed,
                how,
                first: Duration::ZERO,
            }),
            Err(error) => Err((source.name, error)),
        }
    }

    /// Finds the start of the first call. One of several recordings must say which process it is of.
    fn find_first(&mut self, importer: &Importer, is_stated: bool) -> Result<(), Box<dyn Error>> {
        let import = self.import(importer, &ProgressBar::hidden());
        let first = import.map_err(explained)?.next();
        if let Some(call) = &first {
            if self.format == FormatName::Recorder && call.instance.is_none() && !is_stated {
                let text = "the recording does not say which process it is of, so it cannot be merged with others. \
                            State --instances 1 if one process wrote all of them, one after the other";
                return Err(text.into());
            }
        }
        self.first = first.map_or(Duration::MAX, |call| call.start);
        Ok(())
    }

    fn import(&self, importer: &Importer, bar: &ProgressBar) -> Result<Import, ImportError> {
        let input = self.source.read(bar)?;
        match &self.how {
            Format::Recorder => importer.recorded(input),
            Format::Csv(mapping) => importer.csv(input, mapping.clone()),
            Format::Ndjson(mapping) => importer.ndjson(input, mapping.clone()),
            Format::Nginx(format) => importer.nginx(input, format.clone()),
            Format::Envoy(format) => importer.envoy(input, format.clone()),
            Format::Otlp(format) => importer.otlp(input, format.clone()),
            Format::Rates(mapping) => importer.rates(input, mapping.clone()),
        }
    }
}

/// Adds the options of the command to an error of the library.
fn explained(error: ImportError) -> Box<dyn Error> {
    match error {
        ImportError::InstancesNotStated => "it does not say which process made a call. A breaker lives in one \
             process and sees only the calls of that process, so merged calls would make every figure wrong.\n\
             Name the field of the process with --instance FIELD, or state the number of processes with \
             --instances N. Calls are then dealt to them at random. If one process made all calls, state \
             --instances 1"
            .into(),
        // A column of a header may contain commands for the terminal.
        other => escaped(&other.to_string()).into(),
    }
}

fn named(name: &str, error: &dyn Error) -> Box<dyn Error> {
    format!("{name}: {error}").into()
}
