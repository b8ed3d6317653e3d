//! The host services from Rust. The last part of the trigger subject says which one: `…kv`, `…objectstore`,
//! `…messaging` or `…http`, which calls the server at `URL`. As in `examples/js/hostservices`.

mod nex;

use nex::{http, kv, messaging, object_store};
use std::error::Error;
use std::io::{stdin, stdout, Read, Write};

type Reply = Result<Vec<u8>, Box<dyn Error>>;

/// Keeps one value and deletes the other; replies with the kept one.
fn use_kv(payload: &[u8]) -> Reply {
    kv::set("hello", payload)?;
    kv::delete("hello")?;
    kv::set("hello2", payload)?;
    if !matches!(kv::get("hello"), Err(failure) if failure.status == 404) {
        return Err("the deleted key is there".into());
    }
    for key in kv::keys()? {
        eprintln!("key: {}", key);
    }
    Ok(kv::get("hello2")?)
}

fn use_object_store(payload: &[u8]) -> Reply {
    object_store::put("hello", payload)?;
    object_store::delete("hello")?;
    object_store::put("hello2", payload)?;
    for object in object_store::list()? {
        eprintln!("object: {}", object);
    }
    Ok(object_store::get("hello2")?)
}

/// Replies with one answer, then each of many, a line each.
fn use_messaging(payload: &[u8]) -> Reply {
    messaging::publish("hello.world", payload)?;
    let mut reply = messaging::request("hello.world.request", payload)?;
    for answer in messaging::request_many("hello.world.request.many", payload)? {
        reply.push(b'\n');
        reply.extend(answer);
    }
    Ok(reply)
}

/// Posts the payload; replies with status, type and body.
fn use_http(payload: &[u8]) -> Reply {
    let url = std::env::var("URL")?;
    let response = http::request("POST", &url, &[("X-Example", "hostservices")], payload)?;
    let kind = response
        .headers
        .iter()
        .find(|(name, _)| name == "Content-Type");
    let (name, value) = kind.ok_or("the answer has no type")?;
    let mut reply = format!("{} {}: {} ", response.status, name, value).into_bytes();
    reply.extend(response.body);
    Ok(reply)
}

fn main() -> Result<(), Box<dyn Error>> {
    let subject = std::env::args().nth(1).unwrap_or_default();
    let mut payload = Vec::new();
    stdin().read_to_end(&mut payload)?;
    let reply = match subject.rsplit('.').next() {
        Some("kv") => use_kv(&payload)?,
        Some("objectstore") => use_object_store(&payload)?,
        Some("messaging") => use_messaging(&payload)?,
        Some("http") => use_http(&payload)?,
        _ => return Err(format!("unknown service: {}", subject).into()),
    };
    stdout().write_all(&reply)?;
    Ok(())
}
