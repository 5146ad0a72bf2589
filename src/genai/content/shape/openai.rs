//! OpenAI's chat completions and what speaks it (Mistral, Ollama, OpenRouter, Azure, threads).

use super::{Family, Typed, first_str};
use crate::genai::content::json::Kind;
use crate::genai::content::make::{blob, data_or_url, file, linked, media, mime_type, texts, tool_call};
use crate::genai::content::members::Rest;
use crate::genai::message::Part;

pub(super) static FAMILY: Family = Family {
    typed: &[
        ("text", Typed::Part(thread_text)),
        ("image_url", Typed::Part(image_url)),
        ("video_url", Typed::Part(|rest| linked(rest, "video_url", "video"))),
        ("audio_url", Typed::Part(|rest| linked(rest, "audio_url", "audio"))),
        ("document_url", Typed::Part(|rest| linked(rest, "document_url", "document"))),
        ("image_file", Typed::Part(image_file)),
        ("input_audio", Typed::Part(input_audio)),
        ("file", Typed::Part(input_file)),
        ("thinking", Typed::Part(mistral_thinking)),
        ("function", Typed::Part(tool_call)),
    ],
    keyed: &[],
};

/// A thread's text: `{"text": {"value": "...", "annotations": []}}`.
fn thread_text<'a>(rest: &mut Rest<'a>) -> Option<Part<'a>> {
    let mut text = Rest::of(rest.take_kind("text", Kind::Object)?);
    let value = text.take_str("value")?;
    rest.absorb(text);
    Some(Part::Text(value))
}

fn image_url<'a>(rest: &mut Rest<'a>) -> Option<Part<'a>> {
    match rest.take_str("file_id") {
        Some(id) => Some(file(id, mime_type(rest), "image")),
        None => linked(rest, "image_url", "image"),
    }
}

fn image_file<'a>(rest: &mut Rest<'a>) -> Option<Part<'a>> {
    let mut image = Rest::of(rest.take_kind("image_file", Kind::Object)?);
    let id = image.take_str("file_id")?;
    rest.absorb(image);
    Some(file(id, None, "image"))
}

fn input_audio<'a>(rest: &mut Rest<'a>) -> Option<Part<'a>> {
    let inner = match rest.take_str("input_audio") {
        Some(data) => return Some(data_or_url(data, mime_type(rest), "audio")),
        None => rest.take_kind("input_audio", Kind::Object)?,
    };
    let mut audio = Rest::of(inner);
    let content = audio.take_str("data")?;
    let mime = audio.take_str("format").map(|format| format!("audio/{format}").into());
    rest.absorb(audio);
    Some(Part::Blob { modality: "audio".into(), mime_type: mime, content })
}

/// A file by its id, its data or its URL; members together or under `file`.
pub(super) fn input_file<'a>(rest: &mut Rest<'a>) -> Option<Part<'a>> {
    if let Some(inner) = rest.take_kind("file", Kind::Object) {
        rest.absorb(Rest::of(inner));
    }
    let mime = mime_type(rest).or_else(|| rest.take_str("format").filter(|format| format.contains('/')));
    if let Some(id) = rest.take_str("file_id") {
        return Some(file(id, mime, "document"));
    }
    match rest.take_str("file_data") {
        Some(data) if data.starts_with("data:") => Some(media(data, mime, "document")),
        Some(data) => Some(blob(data, mime, "document")),
        None => Some(media(first_str(rest, &["file_url"])?, mime, "document")),
    }
}

/// Mistral's thoughts are a list of texts.
fn mistral_thinking<'a>(rest: &mut Rest<'a>) -> Option<Part<'a>> {
    let text = texts(rest.get("thinking")?)?;
    rest.take("thinking");
    Some(Part::Reasoning(text))
}
