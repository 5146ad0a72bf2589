//! How the parts of a configuration refer to each other: ids to components, pipelines to ids.
//! Addresses are [`super::listeners`]'.

use std::cell::{Cell, RefCell};

use super::batching;
use super::components::{CONNECTORS, Component, EXPORTERS, EXTENSIONS, Kind, PROCESSORS, RECEIVERS};
use super::elsewhere::elsewhere;
use super::plan::{
    ConnectorSettings, ExporterSettings, ExtensionSettings, Id, Input, Output, PipelineId, PipelinePlan, Plan,
    ProcessorSettings, StagePlan,
};
use super::settings::Telemetry;
use crate::config::{Field, Section};
use crate::otlp::Signal;
use crate::receiver::settings as receiver;

/// A component that the configuration defines.
pub(super) struct Definition<'c, S: 'static> {
    pub(super) id: Id,
    /// Its section.
    pub(super) field: Field<'c>,
    /// What it is; `None` if there is no such component or its section is no mapping, which was
    /// reported.
    pub(super) known: Option<(&'static Component<S>, S)>,
    pub(super) is_used: Cell<bool>,
}

/// A configuration whose sections were read.
pub(super) struct Wiring<'c> {
    pub(super) receivers: Vec<Definition<'c, receiver::Settings>>,
    pub(super) processors: Vec<Definition<'c, ProcessorSettings>>,
    pub(super) connectors: Vec<Definition<'c, ConnectorSettings>>,
    pub(super) exporters: Vec<Definition<'c, ExporterSettings>>,
    pub(super) extensions: Vec<Definition<'c, ExtensionSettings>>,
    pub(super) telemetry: Telemetry,
    /// `service`, for places.
    pub(super) service: Option<Field<'c>>,
    pipelines: Vec<PipelinePlan>,
    /// Where a pipeline exports to a connector, and where one receives from it.
    joints: RefCell<Vec<(Id, End, Field<'c>)>>,
    batches: RefCell<Vec<batching::Use<'c>>>,
}

/// An end of a pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Input,
    Output,
}

impl<'c> Wiring<'c> {
    pub(super) fn read(root: &mut Section<'c>) -> Wiring<'c> {
        let mut wiring = Wiring {
            receivers: define(root, Kind::Receiver, RECEIVERS),
            processors: define(root, Kind::Processor, PROCESSORS),
            connectors: define(root, Kind::Connector, CONNECTORS),
            exporters: define(root, Kind::Exporter, EXPORTERS),
            extensions: define(root, Kind::Extension, EXTENSIONS),
            telemetry: Telemetry::default(),
            service: None,
            pipelines: Vec::new(),
            joints: RefCell::default(),
            batches: RefCell::default(),
        };
        wiring.service = root.required("service", "pipelines below it");
        if let Some(mut service) = wiring.service.as_ref().and_then(Field::section) {
            wiring.read_service(&mut service);
        }
        wiring.check_ids();
        wiring.check_joints();
        wiring.check_joins();
        wiring.check_storages();
        batching::check(&wiring.batches.borrow(), &wiring.exporters);
        wiring.warn_of_unused();
        wiring
    }

    fn read_service(&mut self, service: &mut Section<'c>) {
        for (text, field) in references(service, "extensions") {
            match find(&self.extensions, &text) {
                Some(extension) => extension.is_used.set(true),
                None => field.refuse_word(&text, "is not defined under extensions", ids(&self.extensions)),
            }
        }
        if let Some(mut section) = service.section("telemetry") {
            self.telemetry = Telemetry::read(&mut section);
        }
        const EXPECTED: &str = "at least one of traces, metrics and logs";
        let Some(field) = service.required("pipelines", EXPECTED) else { return };
        let Some(mut pipelines) = field.section() else { return };
        let entries = pipelines.entries();
        if entries.is_empty() {
            pipelines.refuse("has no pipeline", EXPECTED);
        }
        for (name, field) in entries {
            let Some(id) = PipelineId::parse(name) else {
                let signals = Signal::ALL.map(Signal::name);
                field.refuse_key_word(name, "is not a pipeline of a signal, with or without /name", signals);
                continue;
            };
            if let Some(mut section) = field.section() {
                let pipeline = self.pipeline(id, &mut section);
                self.pipelines.push(pipeline);
            }
        }
    }

    fn pipeline(&self, id: PipelineId, section: &mut Section<'c>) -> PipelinePlan {
        let signal = id.signal;
        for (key, kind) in [("receivers", "receiver"), ("exporters", "exporter")] {
            if section.required(key, &format!("at least one {kind}")).is_some_and(|field| field.is_empty_list()) {
                section.refuse(format!("has no {kind}"), format!("at least one in {key}"));
            }
        }
        let inputs = references(section, "receivers");
        let stages = references(section, "processors");
        let outputs = references(section, "exporters");
        let first_limiter = stages.iter().position(|(text, _)| Id::parse(text).is_some_and(|id| is_limiter(&id)));
        if let Some((_, field)) =
            first_limiter.filter(|position| *position > 0).and_then(|position| stages.get(position))
        {
            field.warn("should be the first processor: what comes before it works on requests that it then refuses");
        }
        let is_of = |text: &str, component: &str| Id::parse(text).is_some_and(|id| id.component() == component);
        let last_genai = stages.iter().rposition(|(text, _)| is_of(text, "genai"));
        let first_fold = stages.iter().position(|(text, _)| is_of(text, "fold_chunks"));
        if let Some(position) = first_fold.filter(|position| last_genai.is_some_and(|genai| *position < genai))
            && let Some((_, field)) = stages.get(position)
        {
            field.warn(
                "should come after genai: a chunk's time is only needed where the emitter says none, and genai knows",
            );
        }
        let exporters: Vec<Output> =
            outputs.iter().filter_map(|(text, field)| self.output(signal, text, field)).collect();
        let stages = stages.iter().filter_map(|(text, field)| {
            let stage = self.stage(signal, text, field)?;
            if let ProcessorSettings::Batch(settings) = stage.settings {
                let exporters = exporters.iter().filter_map(Output::exporter).cloned().collect();
                self.batches.borrow_mut().push(batching::Use { signal, field: field.clone(), settings, exporters });
            }
            Some(stage)
        });
        PipelinePlan {
            id,
            signal,
            receivers: inputs.iter().filter_map(|(text, field)| self.input(signal, text, field)).collect(),
            stages: stages.collect(),
            exporters,
        }
    }

    fn input(&self, signal: Signal, text: &str, field: &Field<'c>) -> Option<Input> {
        if let Some(receiver) = find(&self.receivers, text) {
            receiver.is_used.set(true);
            let (component, _) = receiver.known.as_ref()?;
            return can(field, "gives", component.gives, signal).then(|| Input::Receiver(receiver.id.clone()));
        }
        if let Some(connector) = find(&self.connectors, text) {
            connector.is_used.set(true);
            self.joints.borrow_mut().push((connector.id.clone(), End::Input, field.clone()));
            let (component, _) = connector.known.as_ref()?;
            return can(field, "gives", component.gives, signal).then(|| Input::Connector(connector.id.clone()));
        }
        self.refuse_reference(field, text, Kind::Receiver, ids(&self.receivers).chain(ids(&self.connectors)));
        None
    }

    fn stage(&self, signal: Signal, text: &str, field: &Field<'c>) -> Option<StagePlan> {
        let Some(processor) = find(&self.processors, text) else {
            self.refuse_reference(field, text, Kind::Processor, ids(&self.processors));
            return None;
        };
        processor.is_used.set(true);
        let (component, settings) = processor.known.as_ref()?;
        can(field, "takes", component.takes, signal)
            .then(|| StagePlan { id: processor.id.clone(), settings: settings.clone() })
    }

    fn output(&self, signal: Signal, text: &str, field: &Field<'c>) -> Option<Output> {
        if let Some(exporter) = find(&self.exporters, text) {
            exporter.is_used.set(true);
            let (component, settings) = exporter.known.as_ref()?;
            if !has_endpoint(settings, signal) {
                let missing = format!("has no endpoint for {signal}");
                field.refuse(missing, format!("endpoint or {signal}_endpoint in exporters.{}", exporter.id));
            }
            return can(field, "takes", component.takes, signal).then(|| Output::Exporter(exporter.id.clone()));
        }
        if let Some(connector) = find(&self.connectors, text) {
            connector.is_used.set(true);
            self.joints.borrow_mut().push((connector.id.clone(), End::Output, field.clone()));
            let (component, _) = connector.known.as_ref()?;
            return can(field, "takes", component.takes, signal).then(|| Output::Connector(connector.id.clone()));
        }
        self.refuse_reference(field, text, Kind::Exporter, ids(&self.exporters).chain(ids(&self.connectors)));
        None
    }

    fn refuse_reference<'w>(
        &self,
        field: &Field<'_>,
        text: &str,
        wanted: Kind,
        candidates: impl Iterator<Item = &'w str> + Clone,
    ) {
        let elsewhere = [
            (Kind::Receiver, find(&self.receivers, text).is_some()),
            (Kind::Processor, find(&self.processors, text).is_some()),
            (Kind::Exporter, find(&self.exporters, text).is_some()),
            (Kind::Extension, find(&self.extensions, text).is_some()),
        ];
        let also = if wanted == Kind::Processor { "" } else { " or connectors" };
        let undefined = match elsewhere.into_iter().find(|(_, is_there)| *is_there) {
            Some((kind, _)) => {
                format!("is the id of {}, and not defined under {}{also}", kind.name(), wanted.section())
            }
            None => format!("is not defined under {}{also}", wanted.section()),
        };
        field.refuse_word(text, &undefined, candidates);
    }

    /// A connector stands in the lists of receivers and of exporters: its id must be its own.
    fn check_ids(&self) {
        for connector in &self.connectors {
            let id = connector.id.as_str();
            for (kind, is_there) in [
                (Kind::Receiver, find(&self.receivers, id).is_some()),
                (Kind::Exporter, find(&self.exporters, id).is_some()),
            ] {
                if is_there {
                    let twice = format!("is also the id of {}", kind.name());
                    connector.field.refuse_key(twice, "give one of them another name: type/name");
                }
            }
        }
    }

    /// A connector joins two pipelines.
    fn check_joints(&self) {
        let joints = self.joints.borrow();
        for connector in &self.connectors {
            let at = |end| joints.iter().find(|(id, of, _)| *id == connector.id && *of == end);
            match (at(End::Output), at(End::Input)) {
                (Some((.., field)), None) => {
                    field.refuse("gives to no pipeline", "it under receivers of another pipeline too");
                }
                (None, Some((.., field))) => {
                    field.refuse("takes from no pipeline", "it under exporters of another pipeline too");
                }
                _ => {}
            }
        }
    }

    /// Spans and log records meet in one processor, which must stand in one pipeline of each.
    fn check_joins(&self) {
        for processor in &self.processors {
            let Some((_, ProcessorSettings::Genai(settings))) = &processor.known else { continue };
            if settings.join_logs.is_none() || !processor.is_used.get() {
                continue;
            }
            for signal in [Signal::Traces, Signal::Logs] {
                let of_signal = self.pipelines.iter().filter(|pipeline| pipeline.signal == signal);
                let count =
                    of_signal.filter(|pipeline| pipeline.stages.iter().any(|stage| stage.id == processor.id)).count();
                let wrong = match count {
                    1 => continue,
                    0 => format!("joins nothing: {} stands in no pipeline of {signal}", processor.id),
                    count => format!(
                        "cannot tell which call is whose: {} stands in {count} pipelines of {signal}",
                        processor.id
                    ),
                };
                let help = "put it into one pipeline of traces and one of logs; others take one of another name";
                processor.field.below(&["join_logs"]).refuse_key(wrong, help);
            }
        }
    }

    /// A queue on disk is in an extension that runs.
    fn check_storages(&self) {
        let storages = || {
            let is_storage = |known: &(_, ExtensionSettings)| matches!(known.1, ExtensionSettings::FileStorage(_));
            self.extensions.iter().filter(move |extension| extension.known.as_ref().is_some_and(is_storage))
        };
        for exporter in &self.exporters {
            let Some((_, ExporterSettings::Otlp(settings))) = &exporter.known else { continue };
            let Some(storage) = &settings.queue.storage else { continue };
            let field = exporter.field.below(&["sending_queue", "storage"]);
            match find(&self.extensions, storage) {
                None => {
                    let ids = storages().map(|extension| extension.id.as_str());
                    field.refuse_word(storage, "is not defined under extensions", ids);
                }
                Some(extension) if !storages().any(|storage| storage.id == extension.id) => {
                    // An extension that is not known at all was reported where it is defined.
                    if extension.known.is_some() {
                        field.refuse("is an extension that keeps nothing", "the id of a file_storage extension");
                    }
                }
                Some(extension) if !extension.is_used.get() && exporter.is_used.get() => {
                    field.refuse("does not run", format!("{} in the list service.extensions too", extension.id));
                }
                Some(_) => {}
            }
        }
    }

    fn warn_of_unused(&self) {
        warn_of(&self.receivers, Kind::Receiver);
        warn_of(&self.processors, Kind::Processor);
        warn_of(&self.connectors, Kind::Connector);
        warn_of(&self.exporters, Kind::Exporter);
        warn_of(&self.extensions, Kind::Extension);
    }

    /// The plan; meaningful only if nothing was reported.
    pub(super) fn into_plan(self) -> Plan {
        let mut exporters = used(self.exporters);
        batching::apply(&self.batches.borrow(), &mut exporters);
        Plan {
            receivers: used(self.receivers),
            connectors: used(self.connectors),
            exporters,
            extensions: used(self.extensions),
            pipelines: self.pipelines,
            telemetry: self.telemetry,
        }
    }
}

/// Reads the components of one section.
fn define<'c, S>(root: &mut Section<'c>, kind: Kind, list: &'static [Component<S>]) -> Vec<Definition<'c, S>> {
    let Some(mut section) = root.section(kind.section()) else { return Vec::new() };
    let mut definitions = Vec::new();
    for (written, field) in section.entries() {
        let Some(id) = Id::parse(written) else {
            field.refuse_key("is not the id of a component", "an id is type or type/name, without spaces");
            continue;
        };
        let component = list.iter().find(|component| component.is_called(id.component()));
        if component.is_none() {
            let unknown = format!("is not {} of this program", kind.name());
            match elsewhere(kind, id.component()) {
                Some(instead) => field.refuse_key(unknown, instead),
                None => {
                    let known = list.iter().flat_map(|component| component.aliases.iter().chain([&component.name]));
                    field.refuse_key_word(id.component(), &unknown, known.copied());
                }
            }
        }
        let known = component.and_then(|component| Some((component, (component.read)(&mut field.section()?))));
        definitions.push(Definition { id, field, known, is_used: Cell::new(false) });
    }
    definitions
}

pub(super) fn find<'d, 'c, S>(definitions: &'d [Definition<'c, S>], text: &str) -> Option<&'d Definition<'c, S>> {
    definitions.iter().find(|definition| definition.id.as_str() == text)
}

pub(super) fn ids<'d, S>(definitions: &'d [Definition<'_, S>]) -> impl Iterator<Item = &'d str> + Clone {
    definitions.iter().map(|definition| definition.id.as_str())
}

/// The ids of a list with their places, each once.
fn references<'c>(section: &mut Section<'c>, key: &'static str) -> Vec<(String, Field<'c>)> {
    let mut references: Vec<(String, Field<'c>)> = Vec::new();
    for field in section.list(key).unwrap_or_default() {
        let Some(text) = field.text() else { continue };
        if references.iter().any(|(other, _)| *other == text) {
            field.refuse("stands twice in one list", "it once");
        } else {
            references.push((text, field));
        }
    }
    references
}

fn can(field: &Field<'_>, does: &str, signals: &[Signal], signal: Signal) -> bool {
    let can = signals.contains(&signal);
    if !can {
        let all: Vec<&str> = signals.iter().map(|signal| signal.name()).collect();
        field.refuse_help(format!("{does} {}, not {signal}", all.join(" and ")), "leave it out of this pipeline");
    }
    can
}

fn has_endpoint(settings: &ExporterSettings, signal: Signal) -> bool {
    match settings {
        ExporterSettings::Otlp(otlp) if otlp.signal_endpoints.iter().any(Option::is_some) => {
            let own = Signal::ALL.into_iter().zip(&otlp.signal_endpoints).find(|(of, _)| *of == signal);
            !otlp.endpoint.is_empty() || own.is_some_and(|(_, endpoint)| endpoint.is_some())
        }
        // A missing endpoint was reported where it is missing.
        ExporterSettings::Otlp(_) | ExporterSettings::Prometheus(_) | ExporterSettings::Debug(_) => true,
    }
}

fn is_limiter(id: &Id) -> bool {
    let limits = |component: &&Component<ProcessorSettings>| component.is_called(id.component());
    PROCESSORS.iter().find(limits).is_some_and(|component| component.name == "memory_limiter")
}

fn warn_of<S>(definitions: &[Definition<'_, S>], kind: Kind) {
    let by = if kind == Kind::Extension { "is not named in service.extensions" } else { "is used by no pipeline" };
    for unused in definitions.iter().filter(|definition| !definition.is_used.get()) {
        unused.field.warn(format!("{by} and does not run"));
    }
}

fn used<S>(definitions: Vec<Definition<'_, S>>) -> Vec<(Id, S)> {
    let settings = |definition: Definition<'_, S>| Some((definition.id, definition.known?.1));
    definitions.into_iter().filter(|definition| definition.is_used.get()).filter_map(settings).collect()
}
