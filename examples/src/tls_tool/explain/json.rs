//! The answers of `explain` as JSON. Its shape is told in `docs/hvmail-tls.md`, and stays.

use hvmail_control::ServiceTls;
use hvmail_control::explain::{
    Delivery, Directive, Explained, NamedDelivery, Outgoing, Overridden, Route, Rule, Service,
    State, Value, Whence,
};
use hvmail_control::outgoing::UnusableRule;
use serde_json::{Value as Json, json};
use smtp_tls::cipher::Suite;
use smtp_tls::{Cause, ConfigError, Loss, Unhonoured};

use super::super::excerpt::visible;
use super::super::offers::{self, ModernPeer, Offered};
use super::{Mail, Report, Taken, asked, mode, mode_of};
use crate::print;

pub(super) fn draw(report: &Report<'_>) -> String {
    let mail = match &report.mail {
        Mail::Nothing => Json::Null,
        Mail::All(outgoing) => all(report, outgoing),
        Mail::To(to) => delivery(report, to.as_ref().as_ref()),
    };
    let services = report.services.as_ref();
    let services =
        services.map(|all| all.iter().map(|one| service(report, one)).collect::<Vec<_>>());
    let whole = json!({
        "directory": report.control.snapshot.root().to_string_lossy(),
        "backend": report.backend.to_string(),
        "host": report.host.as_ref().map(|host| settings(host)),
        "services": services,
        "outgoing": mail,
    });
    escaped(&format!("{whole:#}"))
}

/// The same JSON without characters that could drive a terminal. Those of ASCII are escaped already, and
/// all of them stand in strings.
fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for character in json.chars() {
        if character == '\n' || visible(character.encode_utf8(&mut [0; 4])).contains(character) {
            text.push(character);
        } else {
            text.push_str(&format!("\\u{:04x}", u32::from(character)));
        }
    }
    text
}

fn service(report: &Report<'_>, service: &Service) -> Json {
    json!({
        "name": service.name,
        "state": match report.state(service) {
            State::Runs => "runs",
            State::Off => "off",
            State::Broken => "broken",
        },
        "settings": settings(&service.settings),
        "tls": match &service.unusable {
            Some(unusable) => json!({
                "mode": asked(unusable.mode),
                "error": { "reason": unusable.reason, "place": unusable.place },
            }),
            None => tls(report, &service.tls),
        },
        "rules": service.rules.iter().map(|one| rule(report, one)).collect::<Vec<_>>(),
    })
}

fn rule(report: &Report<'_>, rule: &Rule) -> Json {
    json!({
        "address": rule.address,
        "allow": rule.allow,
        "used": rule.used,
        "source": source(&rule.whence),
        "relay": rule.relay.as_ref().map(setting),
        "ciphers": rule.ciphers.as_ref().map(setting),
        "tls": rule.tls.as_ref().map(|offered| tls(report, offered)),
        "without_effect": rule.without_effect,
    })
}

/// What is offered under TLS, or why nothing can be.
fn tls(report: &Report<'_>, offered: &ServiceTls) -> Json {
    let mut told = of_library(report, offered);
    if let Some(all) = told.get_mut("unhonoured").and_then(Json::as_array_mut) {
        all.extend(unhonoured(report, &report.judges.borrow_mut().unhonoured(offered)));
    }
    told
}

fn of_library(report: &Report<'_>, offered: &ServiceTls) -> Json {
    match report.acceptor(offered) {
        None => Json::Null,
        Some(Err(error)) => json!({ "mode": mode(offered), "error": refused(report, &error) }),
        Some(Ok(taken)) => offer(report, mode(offered), &taken),
    }
}

fn offer(report: &Report<'_>, mode: &str, (acceptor, lost): &Taken) -> Json {
    let mut told = what_is_offered(mode, acceptor.offer().into());
    told["unhonoured"] = unhonoured(report, lost).into();
    told["dhe_group"] = acceptor.offer().dhe.map_or(
        Json::Null,
        |group| json!({ "bits": group.bits, "standard": group.of_policy.is_none() }),
    );
    told
}

fn what_is_offered(mode: &str, offer: Offered<'_>) -> Json {
    let names = |suites: &[&'static Suite]| suites.iter().map(|s| s.name()).collect::<Vec<_>>();
    let peer = offers::modern_peer(offer).map(|ModernPeer { version, suite, group }| {
        json!({ "version": version.to_string(), "suite": suite.name(), "group": group })
    });
    json!({
        "mode": mode,
        "tls13": names(offer.tls13),
        "tls12": names(offer.tls12),
        "groups": offer.groups,
        "modern_peer": peer,
    })
}

fn unhonoured(report: &Report<'_>, settings: &[Unhonoured]) -> Vec<Json> {
    let one = |unhonoured: &Unhonoured| {
        json!({
            "setting": unhonoured.setting,
            "loss": match unhonoured.loss {
                Loss::NotNeeded => "not needed",
                Loss::Partial => "partial",
                Loss::Whole => "whole",
            },
            "cause": match unhonoured.cause {
                Cause::Setting => "setting",
                Cause::Library => "library",
            },
            "reason": unhonoured.reason,
            "place": unhonoured.origin.and_then(|origin| print::place(report.control, origin)),
        })
    };
    settings.iter().map(one).collect()
}

fn refused(report: &Report<'_>, error: &ConfigError) -> Json {
    let place = error.origin().and_then(|origin| print::place(report.control, origin));
    json!({ "reason": error.to_string(), "place": place })
}

fn all(report: &Report<'_>, outgoing: &Outgoing) -> Json {
    let directive = |directive: &Directive| {
        json!({
            "name": directive.name,
            "value": directive.value,
            "ip_addresses": directive.addresses,
            "domains": directive.domains,
            "counts": directive.counts,
            "source": source(&directive.whence),
        })
    };
    let route = |route: &Route| {
        json!({
            "domain": route.domain,
            "route": route.route.as_ref().ok(),
            "error": route.route.as_ref().err(),
            "source": source(&route.whence),
        })
    };
    json!({
        "settings": settings(&outgoing.settings),
        "directives": outgoing.directives.iter().map(directive).collect::<Vec<_>>(),
        "routes": outgoing.routes.iter().map(route).collect::<Vec<_>>(),
        "otherwise": delivery(report, outgoing.otherwise.as_ref()),
        "named": outgoing.named.iter().map(|one| named(report, one)).collect::<Vec<_>>(),
        "named_is_whole": outgoing.named_is_whole,
    })
}

/// The same as for a delivery that was asked about; of a rule that cannot be used it says whose it is.
fn named(report: &Report<'_>, named: &NamedDelivery) -> Json {
    let mut told = delivery(report, named.delivery.as_ref());
    told["domain"] = json!(named.domain);
    told["ip_address"] = json!(named.address);
    told
}

fn delivery(report: &Report<'_>, delivery: Result<&Delivery, &UnusableRule>) -> Json {
    let delivery = match delivery {
        Ok(delivery) => delivery,
        Err(error) => {
            let place = error.origin.and_then(|origin| print::place(report.control, origin));
            return json!({ "error": { "reason": error.reason, "place": place } });
        }
    };
    let (error, unhonoured, tls) = match report.connector(delivery) {
        None => (None, Vec::new(), Json::Null),
        Some(Ok(connector)) => {
            let tls = what_is_offered(mode_of(&delivery.policy), connector.offer().into());
            (None, unhonoured(report, connector.unhonoured()), tls)
        }
        Some(Err(error)) => (Some(refused(report, &error)), Vec::new(), Json::Null),
    };
    json!({
        "domain": delivery.domain,
        "ip_address": delivery.address,
        "settings": settings(&delivery.settings),
        "tls": tls,
        "unhonoured": unhonoured,
        "error": error,
    })
}

fn settings(settings: &[Explained]) -> Vec<Json> {
    settings.iter().map(setting).collect()
}

fn setting(explained: &Explained) -> Json {
    let overrode = |overridden: &Overridden| json!({ "source": source(&overridden.whence), "text": overridden.text });
    json!({
        "setting": explained.setting,
        "value": match &explained.value {
            Value::Nothing | Value::Unknown => Json::Null,
            Value::Flag(on) => json!(on),
            Value::Number(number) | Value::Seconds(number) => json!(number),
            Value::Text(text) => json!(text),
            Value::Texts(texts) => json!(texts),
        },
        "source": source(&explained.whence),
        "overrode": explained.overrode.iter().map(overrode).collect::<Vec<_>>(),
        "vendor_unsupported": explained.vendor_unsupported,
    })
}

fn source(whence: &Whence) -> Json {
    match whence {
        Whence::Default(of) => json!({ "kind": "default", "of": of }),
        Whence::Fixed => json!({ "kind": "fixed" }),
        Whence::Environment(name) => json!({ "kind": "environment", "name": name }),
        Whence::File(location) => json!({
            "kind": "file",
            "path": location.path.to_string_lossy(),
            "line": location.line,
            "column": location.column,
        }),
    }
}
