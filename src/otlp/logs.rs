//! One pass over a logs request: every record is shown to a [`Visitor`] once, and the request is
//! written once, afterwards, by copying what nobody changed.
//!
//! As [`super::traces`] for spans; what both have in common is `envelope`.

use bytes::Bytes;

use super::envelope::{self, Item, Names, Place};
pub use super::envelope::{Attributes, Envelope, Origin, Outcome};
use super::log_record::LogRecord;
use super::wire::WireError;

/// What sees the records of a request.
pub trait Visitor {
    /// One record, in the order of the request. Changes are made through the record.
    fn log_record(&mut self, record: &mut LogRecord<'_>, origin: &Origin<'_>);
}

/// Shows every record of an encoded `ExportLogsServiceRequest` to `visitor` and returns the request
/// with the changes made. A scope or resource whose records were all dropped goes with them; one
/// that came empty stays.
///
/// # Errors
/// Whatever prost would refuse. The visitor may have seen some records by then.
pub fn edit(body: &Bytes, visitor: &mut impl Visitor) -> Result<Outcome, WireError> {
    let mut see = |record: &mut LogRecord<'_>, origin: &Origin<'_>| visitor.log_record(record, origin);
    let (shape, items) = envelope::walk(body, &mut see)?;
    Ok(envelope::finish(body, &shape, &items))
}

impl<'a> Item<'a> for LogRecord<'a> {
    const NAMES: Names = Names {
        request: ("ExportLogsServiceRequest", "resource_logs"),
        resource: ("ResourceLogs", "scope_logs"),
        scope: ("ScopeLogs", "log_records"),
    };
    type Record = Record;

    fn parse_at(&mut self, bytes: &'a [u8], depth: Option<u32>) -> Result<(), WireError> {
        LogRecord::parse_at(self, bytes, depth)
    }

    fn source(&self) -> &'a [u8] {
        LogRecord::source(self)
    }

    fn is_edited(&self) -> bool {
        LogRecord::is_edited(self)
    }

    fn write(&self, out: &mut Vec<u8>) {
        LogRecord::write(self, out);
    }

    fn record(&self, place: Place) -> Record {
        Record { dropped: self.is_dropped(), place }
    }
}

/// A log record after the walk.
pub(super) struct Record {
    dropped: bool,
    place: Place,
}

impl envelope::Record for Record {
    fn place(&self) -> &Place {
        &self.place
    }

    fn is_dropped(&self) -> bool {
        self.dropped
    }
}
