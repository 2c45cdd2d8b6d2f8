//! [`Importer`]: the settings of an import.

use super::caveat::Caveat;
use super::counts::ImportCounts;
use super::csv::Csv;
use super::envoy::Envoy;
use super::envoy_format::{EnvoyFormat, Role};
use super::error::ImportError;
use super::iter::{Dealer, Import};
use super::lines::Lines;
use super::mapping::Mapping;
use super::ndjson::Ndjson;
use super::nginx::Nginx;
use super::nginx_format::NginxFormat;
use super::order::Order;
use super::otlp::Otlp;
use super::otlp_format::OtlpFormat;
use super::rates::RateDraws;
use super::recorded::Recorded;
use super::rows::{MappedCalls, Rows};
use super::sink::{Format, Names, Sink};
use std::io::Read;
use std::time::Duration;

/// The settings of an import, and a method for each format.
///
/// Every method takes plain or gzip-compressed data, which the first bytes tell. Data of any size is
/// read as a stream, in less than 100 MiB of memory. Lines that cannot be read are
/// [counted](super::ImportCounts::bad), and end no import.
///
/// # Default
///
/// * [`reorder_within`](Self::reorder_within): 2 minutes, at most 200,000 calls
/// * [`instances`](Self::instances): not stated
/// * [`seed`](Self::seed): 0
/// * [`sampled`](Self::sampled): `false`
/// * [`header`](Self::header): `true`
/// * [`delimiter`](Self::delimiter): a comma
#[derive(Clone, Debug, PartialEq)]
#[must_use = "an importer reads nothing until a source is opened"]
pub struct Importer {
    window: Duration,
    instances: Option<u32>,
    seed: u64,
    sampled: bool,
    header: bool,
    delimiter: u8,
}

impl Importer {
    /// The maximum number of calls that wait to be put in order.
    const WAITING: usize = 200_000;

    /// Creates an importer with the default settings.
    pub const fn new() -> Self {
        Self {
            window: Duration::from_secs(120),
            instances: None,
            seed: 0,
            sampled: false,
            header: true,
            delimiter: b',',
        }
    }

    /// Sets how late the line of a call may come, relative to lines of later calls.
    ///
    /// A log is written when calls end, so the window must exceed the longest duration of a call.
    /// Calls that come later are [moved or left out](super::ImportCounts::moved), and counted. At most
    /// 200,000 calls wait, whatever the window is.
    pub const fn reorder_within(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }

    /// States how many processes made the calls, if no field says which process made a call.
    ///
    /// A breaker lives in one process, and sees only the calls of that process. The calls are dealt to
    /// the processes at random. At most 100,000 processes; more count as so many.
    pub const fn instances(mut self, processes: u32) -> Self {
        self.instances = Some(processes);
        self
    }

    /// Sets the seed of everything that is drawn at random.
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// States whether the source contains only a part of the calls, such as sampled traces.
    pub const fn sampled(mut self, sampled: bool) -> Self {
        self.sampled = sampled;
        self
    }

    /// Sets whether the first record of a CSV file names the columns.
    pub const fn header(mut self, header: bool) -> Self {
        self.header = header;
        self
    }

    /// Sets the byte that separates the fields of a CSV file.
    pub const fn delimiter(mut self, delimiter: u8) -> Self {
        self.delimiter = delimiter;
        self
    }

    /// Opens a recording of a [`Recorder`](crate::Recorder). It contains the calls of one process.
    ///
    /// # Errors
    ///
    /// [`ImportError::Io`] if the source cannot be read.
    pub fn recorded(&self, source: impl Read + Send + 'static) -> Result<Import, ImportError> {
        let format = Recorded::new(Lines::open(source)?);
        Ok(self.import(Box::new(format), true, Vec::new()))
    }

    /// Opens a CSV file.
    ///
    /// # Errors
    ///
    /// * [`ImportError::InstancesNotStated`] without [`instances`](Self::instances), if the mapping
    ///   names no field for the instance
    /// * [`ImportError::NoColumn`] if the header has no such column, and [`ImportError::Empty`] if there is
    ///   no header
    /// * [`ImportError::Mapping`] if the mapping does not say which calls succeeded
    /// * [`ImportError::Io`] if the source cannot be read
    pub fn csv(
        &self,
        source: impl Read + Send + 'static,
        mapping: Mapping,
    ) -> Result<Import, ImportError> {
        mapping.check_calls()?;
        let has_instance = self.check_instances(mapping.has_instance())?;
        let rows = self.csv_rows(Lines::open(source)?, &mapping)?;
        let format = MappedCalls { rows, mapping };
        Ok(self.import(Box::new(format), has_instance, Vec::new()))
    }

    /// Opens a file of JSON objects, one on each line.
    ///
    /// # Errors
    ///
    /// The same as for [`csv`](Self::csv), except for those of the header. A field that a line does
    /// not have makes a bad line.
    pub fn ndjson(
        &self,
        source: impl Read + Send + 'static,
        mapping: Mapping,
    ) -> Result<Import, ImportError> {
        mapping.check_calls()?;
        let has_instance = self.check_instances(mapping.has_instance())?;
        let rows = Rows::Ndjson(Ndjson::new(Lines::open(source)?, &mapping));
        let format = MappedCalls { rows, mapping };
        Ok(self.import(Box::new(format), has_instance, Vec::new()))
    }

    /// Opens rates: the number of calls and of failures in each interval, as CSV or as JSON objects.
    ///
    /// The calls are drawn at random with the [seed](Self::seed): evenly over the interval, with any of
    /// them failing alike, and with durations of a log-normal distribution through `p50` and `p99`. All
    /// intervals of a name and instance are as long as the shortest time between two of them, or a
    /// minute if there is only one.
    ///
    /// # Errors
    ///
    /// The same as for [`csv`](Self::csv). The mapping must name the fields `calls` and `failures`.
    ///
    /// # Examples
    ///
    /// ```
    /// use breakerbox_replay::import::{Caveat, Importer};
    ///
    /// let rates = "t,calls,failed,p50,p99\n1772000000,600,3,20,180\n1772000060,600,300,20,900\n";
    /// let mapping = "time=t,calls=calls,failures=failed,p50=p50,p99=p99".parse()?;
    /// let import = Importer::new().instances(1).rates(rates.as_bytes(), mapping)?;
    /// assert!(import.caveats().contains(&Caveat::Modelled));
    /// assert_eq!(import.count(), 1_200);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn rates(
        &self,
        source: impl Read + Send + 'static,
        mapping: Mapping,
    ) -> Result<Import, ImportError> {
        mapping.check_rates()?;
        let has_instance = self.check_instances(mapping.has_instance())?;
        let mut lines = Lines::open(source)?;
        let rows = if lines.peek()?.trim_ascii_start().starts_with(b"{") {
            Rows::Ndjson(Ndjson::new(lines, &mapping))
        } else {
            self.csv_rows(lines, &mapping)?
        };
        let format = RateDraws::new(rows, mapping, self.seed);
        let caveats = vec![Caveat::Modelled];
        Ok(self.import(Box::new(format), has_instance, caveats))
    }

    /// Opens an access log of nginx.
    ///
    /// # Errors
    ///
    /// * [`ImportError::InstancesNotStated`] without [`instances`](Self::instances), if the format has
    ///   no [instance](NginxFormat::instance)
    /// * [`ImportError::Io`] if the source cannot be read
    pub fn nginx(
        &self,
        source: impl Read + Send + 'static,
        format: NginxFormat,
    ) -> Result<Import, ImportError> {
        let has_instance = self.check_instances(format.has_instance())?;
        let caveats = server_log(format.is_upstream_log());
        let format = Nginx::new(Lines::open(source)?, format);
        Ok(self.import(Box::new(format), has_instance, caveats))
    }

    /// Opens an access log of Envoy.
    ///
    /// # Errors
    ///
    /// * [`ImportError::InstancesNotStated`] without [`instances`](Self::instances), if the format has
    ///   no [instance](EnvoyFormat::instance)
    /// * [`ImportError::Io`] if the source cannot be read
    pub fn envoy(
        &self,
        source: impl Read + Send + 'static,
        format: EnvoyFormat,
    ) -> Result<Import, ImportError> {
        let has_instance = self.check_instances(format.has(Role::Instance))?;
        let caveats = server_log(format.is_upstream_log());
        let format = Envoy::new(Lines::open(source)?, format);
        Ok(self.import(Box::new(format), has_instance, caveats))
    }

    /// Opens spans in OTLP JSON, one batch on each line, as the file exporter of the OpenTelemetry collector
    /// writes them. A line has at most 32 MiB.
    ///
    /// # Errors
    ///
    /// * [`ImportError::InstancesNotStated`] without [`instances`](Self::instances), if the first resource
    ///   has no `service.instance.id` and the format states no other [attribute](OtlpFormat::instance)
    /// * [`ImportError::Io`] if the source cannot be read
    pub fn otlp(
        &self,
        source: impl Read + Send + 'static,
        format: OtlpFormat,
    ) -> Result<Import, ImportError> {
        let mut format = Otlp::new(Lines::open(source)?, format);
        let has_instance = self.check_instances(format.find_instance()?)?;
        let caveat = (!self.sampled).then_some(Caveat::Traces);
        Ok(self.import(Box::new(format), has_instance, caveat.into_iter().collect()))
    }

    fn csv_rows(&self, lines: Lines, mapping: &Mapping) -> Result<Rows, ImportError> {
        let csv = Csv::open(lines, mapping, self.delimiter, self.header)?;
        Ok(Rows::Csv(Box::new(csv)))
    }

    /// Returns `has_instance`, unless the number of instances must be stated.
    fn check_instances(&self, has_instance: bool) -> Result<bool, ImportError> {
        if has_instance || self.instances.is_some_and(|instances| instances > 0) {
            Ok(has_instance)
        } else {
            Err(ImportError::InstancesNotStated)
        }
    }

    fn import(
        &self,
        format: Box<dyn Format>,
        has_instance: bool,
        mut caveats: Vec<Caveat>,
    ) -> Import {
        let dealt = self.instances.filter(|_| !has_instance);
        match dealt {
            None => {}
            Some(1) => caveats.push(Caveat::OneInstance),
            Some(processes) => caveats.push(Caveat::DealtInstances(processes)),
        }
        if self.sampled {
            caveats.push(Caveat::Sampled);
        }
        let sink = Sink {
            order: Order::new(self.window, Self::WAITING),
            counts: ImportCounts::default(),
            names: Names::default(),
        };
        let dealer = dealt.map(|processes| Dealer::new(processes, self.seed));
        Import::new(format, sink, dealer, caveats)
    }
}

/// Returns the caveat of a log that describes requests instead of upstream calls.
fn server_log(is_upstream_log: bool) -> Vec<Caveat> {
    let caveat = (!is_upstream_log).then_some(Caveat::ServerLog);
    caveat.into_iter().collect()
}

impl Default for Importer {
    fn default() -> Self {
        Self::new()
    }
}
