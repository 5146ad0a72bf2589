//! Tool definitions: from the JSON of several APIs, and from the pieces of an indexed family.

use std::borrow::Cow;

use super::check::FOREIGN_IN_TOOL;
use super::json::{self, Kind, Node};
use super::members::Rest;
use super::read::repaired;
use super::value;
use crate::genai::message::{Json, ToolDefinition};
use crate::otlp::value::Value;

const OWN: &[&str] = &["type", "name", "description", "parameters"];

/// The definitions of a JSON list (or a single object): OpenAI's chat, responses and functions
/// forms, Anthropic's, Bedrock's, Gemini's, the AI SDK's, MCP's, serialised ones of LangChain and
/// Haystack, bare names, or target-shaped ones. `None` if any element is none of these.
pub fn tool_definitions_from_json(text: &str, allow_python: bool) -> Option<Vec<ToolDefinition<'_>>> {
    if let Some(node) = json::parse(text) {
        return definitions(node);
    }
    let repaired = repaired(text, allow_python)?;
    Some(own(definitions(json::parse(&repaired)?)?))
}

/// As [`tool_definitions_from_json`], of an attribute's value.
pub fn tool_definitions_from_value(value: &Value<'_>, allow_python: bool) -> Option<Vec<ToolDefinition<'static>>> {
    match value {
        Value::Str(text) => tool_definitions_from_json(text, allow_python).map(own),
        Value::Array(_) | Value::KvList(_) => {
            let mut text = String::new();
            value::write_value(value, &mut text);
            tool_definitions_from_json(&text, allow_python).map(own)
        }
        _ => None,
    }
}

/// A function from the pieces of an indexed family; empty text is no piece. Parameters that are no
/// JSON object (cut off, or Python text that cannot be read) are carried along as their text.
pub fn tool_definition_from_pieces<'a>(
    name: Cow<'a, str>,
    description: Option<Cow<'a, str>>,
    parameters: Option<Cow<'a, str>>,
    allow_python: bool,
) -> ToolDefinition<'a> {
    let mut tool = ToolDefinition {
        kind: "function".into(),
        name,
        description: description.filter(|text| !text.is_empty()),
        parameters: None,
        more: Cow::Borrowed(""),
    };
    let Some(text) = parameters.filter(|text| !matches!(text.trim(), "" | "null" | "None")) else { return tool };
    match schema(text, allow_python) {
        Ok(schema) => tool.parameters = Some(schema),
        Err(text) => tool.more = format!("\"parameters\":{}", super::make::json_string(&text).0).into(),
    }
    tool
}

/// The schema that a text holds, or the text.
fn schema(text: Cow<'_, str>, allow_python: bool) -> Result<Json<'_>, Cow<'_, str>> {
    if json::parse(&text).is_some_and(Node::is_object) {
        return Ok(Json(text));
    }
    match repaired(&text, allow_python) {
        Some(repaired) if json::parse(&repaired).is_some_and(Node::is_object) => Ok(Json(Cow::Owned(repaired))),
        _ => Err(text),
    }
}

fn own(tools: Vec<ToolDefinition<'_>>) -> Vec<ToolDefinition<'static>> {
    tools.into_iter().map(ToolDefinition::into_owned).collect()
}

pub(super) fn definitions(node: Node<'_>) -> Option<Vec<ToolDefinition<'_>>> {
    let mut tools = Vec::new();
    match node.kind() {
        Kind::Array => node.elements().try_for_each(|element| read(element, &mut tools))?,
        Kind::Object => read(node, &mut tools)?,
        _ => return None,
    }
    Some(tools)
}

/// Names under which an API holds a list of functions in one tool.
const LISTS: &[&str] = &["function_declarations", "functionDeclarations"];
/// What stands around a definition: OpenAI's, Bedrock's, LangChain's and Haystack's serialised tools.
const WRAPPERS: &[&str] = &["function", "toolSpec", "custom", "kwargs", "data"];
const PARAMETERS: &[&str] = &[
    "parameters",
    "input_schema",
    "inputSchema",
    "parametersJsonSchema",
    "parameters_json_schema",
    "args_schema",
    "json_schema",
];

fn read<'a>(node: Node<'a>, tools: &mut Vec<ToolDefinition<'a>>) -> Option<()> {
    if let Some(text) = node.as_str() {
        tools.extend(match json::parse(&text).filter(|inner| inner.is_object() || inner.is_array()) {
            Some(inner) if inner.elements().all(|element| element.is_object()) => own(definitions(inner)?),
            _ => vec![named(text)?],
        });
        return Some(());
    }
    let mut rest = Rest::of(node);
    for list in LISTS {
        if let Some(declared) = rest.take_kind(list, Kind::Array) {
            declared.elements().try_for_each(|element| read(element, tools))?;
            // Other tools stand beside the functions.
            return rest.iter().try_for_each(|(name, value)| provided(name, value, tools));
        }
    }
    let mut kind = rest.take_str("type");
    for wrapper in WRAPPERS {
        let Some(inner) = rest.get(wrapper).filter(|inner| inner.get("name").is_some()) else { continue };
        rest.take(wrapper);
        if matches!(*wrapper, "kwargs" | "data") {
            // The type is the name of a class.
            kind = None;
            rest.take("lc");
            rest.take("id");
        }
        rest.absorb(Rest::of(inner));
    }
    let name = rest.take_str("name");
    let description = rest.take_str("description").filter(|text| !text.is_empty());
    let parameters = PARAMETERS
        .iter()
        .find_map(|key| rest.take(key))
        .map(|schema| schema.get("json").filter(|inner| inner.is_object()).unwrap_or(schema));
    let (parameters, text) = match parameters.map(|node| (node, node.as_str())) {
        None => (None, None),
        Some((node, None)) => (Some(Json(Cow::Borrowed(node.text()))), None),
        Some((_, Some(text))) => match schema(text, false) {
            Ok(schema) => (Some(schema), None),
            Err(text) => (None, Some(text)),
        },
    };
    // A tool that the provider brings has only a type, or only a member with its settings.
    let Some(name) = name.or_else(|| kind.clone()) else {
        let mut members = node.members().filter(|(_, value)| value.is_object());
        return match (members.next(), members.next()) {
            (Some((name, value)), None) if PROVIDED.contains(&&*name) => provided(&name, value, tools),
            _ => None,
        };
    };
    let kind = match kind {
        // Anthropic's word for a function of the user's.
        Some(kind) if kind == "custom" && parameters.is_some() => "function".into(),
        Some(kind) => kind,
        None => "function".into(),
    };
    rest.set_aside(OWN);
    rest.set_aside(FOREIGN_IN_TOOL);
    let mut more = rest.more(OWN)?;
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        let separator = if more.is_empty() { "" } else { "," };
        more.to_mut().push_str(&format!("{separator}\"parameters\":{}", super::make::json_string(&text).0));
    }
    tools.push(ToolDefinition { kind, name, description, parameters, more });
    Some(())
}

/// The tools of Gemini and Bedrock that are told by a member alone.
const PROVIDED: &[&str] = &[
    "googleSearch",
    "google_search",
    "googleSearchRetrieval",
    "google_search_retrieval",
    "codeExecution",
    "code_execution",
    "urlContext",
    "url_context",
    "googleMaps",
    "google_maps",
    "retrieval",
    "computerUse",
    "computer_use",
    "fileSearch",
    "file_search",
    "cachePoint",
    "systemTool",
];

fn provided<'a>(name: &str, settings: Node<'a>, tools: &mut Vec<ToolDefinition<'a>>) -> Option<()> {
    let mut more = Rest::of(settings);
    more.set_aside(OWN);
    let name: Cow<'a, str> = Cow::Owned(name.to_owned());
    tools.push(ToolDefinition { kind: name.clone(), name, description: None, parameters: None, more: more.more(OWN)? });
    Some(())
}

/// A tool of which nothing but the name is said. Text with white space or brackets is no name, but
/// something that was cut off or is meant for people.
fn named(name: Cow<'_, str>) -> Option<ToolDefinition<'static>> {
    let is_name = !name.is_empty() && !name.contains(|byte: char| byte.is_whitespace() || "{}[]()\"'".contains(byte));
    is_name.then(|| ToolDefinition {
        kind: "function".into(),
        name: name.into_owned().into(),
        description: None,
        parameters: None,
        more: "".into(),
    })
}
