//! Tool definitions: from the JSON of several APIs, and from the pieces of an indexed family.

use std::borrow::Cow;

use super::json::{self, Kind, Node};
use super::members::Rest;
use super::read::repaired;
use super::value;
use crate::genai::message::{Json, ToolDefinition};
use crate::otlp::value::Value;

const OWN: &[&str] = &["type", "name", "description", "parameters"];

/// The definitions of a JSON list (or a single object): OpenAI's chat, responses and functions
/// forms, Anthropic's, Bedrock's and Gemini's, or target-shaped ones. `None` if any element is none
/// of these.
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

fn read<'a>(node: Node<'a>, tools: &mut Vec<ToolDefinition<'a>>) -> Option<()> {
    if let Some(text) = node.as_str() {
        tools.extend(own(definitions(json::parse(&text).filter(|inner| inner.is_object())?)?));
        return Some(());
    }
    let mut rest = Rest::of(node);
    for list in ["function_declarations", "functionDeclarations"] {
        if let Some(declared) = rest.take_kind(list, Kind::Array) {
            return declared.elements().try_for_each(|element| read(element, tools));
        }
    }
    let kind = rest.take_str("type");
    for wrapper in ["function", "toolSpec", "custom"] {
        if let Some(inner) = rest.take_kind(wrapper, Kind::Object) {
            rest.absorb(Rest::of(inner));
        }
    }
    let name = rest.take_str("name");
    let description = rest.take_str("description").filter(|text| !text.is_empty());
    let parameters = ["parameters", "input_schema", "inputSchema", "parametersJsonSchema"]
        .into_iter()
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
    // A tool that the provider brings has only a type.
    let name = name.or_else(|| kind.clone())?;
    let kind = match kind {
        // Anthropic's word for a function of the user's.
        Some(kind) if kind == "custom" && parameters.is_some() => "function".into(),
        Some(kind) => kind,
        None => "function".into(),
    };
    let mut more = rest.more(OWN)?;
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        let separator = if more.is_empty() { "" } else { "," };
        more.to_mut().push_str(&format!("{separator}\"parameters\":{}", super::make::json_string(&text).0));
    }
    tools.push(ToolDefinition { kind, name, description, parameters, more });
    Some(())
}
