//! The answers of `explain` for a person.

use std::fmt::{Display, Write};

use hvmail_control::ServiceTls;
use hvmail_control::diagnostic::printable;
use hvmail_control::explain::{Delivery, Explained, Outgoing, Rule, Service, State};
use hvmail_control::outgoing::UnusableRule;
use smtp_tls::cipher::Suite;
use smtp_tls::{Cause, Loss, Unhonoured};

use super::super::excerpt::visible;
use super::super::offers::{self, ModernPeer, Offered};
use super::{Mail, Report, Taken, dhe, mode, mode_of};
use crate::print;

/// How wide the column of names is, and that of values.
const COLUMNS: (usize, usize) = (20, 32);

/// Lines, each without anything that could drive a terminal.
struct Lines(String);

impl Lines {
    fn line(&mut self, depth: usize, text: impl Display) {
        let text = visible(&text.to_string());
        // A string takes whatever is written to it.
        let _ = writeln!(self.0, "{:indent$}{}", "", text.trim_end(), indent = depth * 2);
    }

    fn title(&mut self, text: impl Display) {
        self.0.push('\n');
        self.line(0, text);
    }
}

pub(super) fn draw(report: &Report<'_>) -> String {
    let mut lines = Lines(String::new());
    let root = printable(report.control.snapshot.root());
    lines.line(0, format_args!("control directory {root}, TLS library {}", report.backend));
    if let Some(host) = &report.host {
        lines.title("host");
        settings(&mut lines, 1, host);
    }
    for one in report.services.iter().flatten() {
        service(&mut lines, report, one);
    }
    match &report.mail {
        Mail::Nothing => {}
        Mail::All(outgoing) => all(&mut lines, report, outgoing),
        Mail::To(to) => {
            if let Ok(to) = to.as_ref() {
                lines.title(mail_to(&to.domain, to.address.as_deref()));
            } else {
                lines.title("mail to this domain");
            }
            delivery(&mut lines, report, to.as_ref().as_ref());
        }
    }
    lines.0
}

fn service(lines: &mut Lines, report: &Report<'_>, service: &Service) {
    let state = match report.state(service) {
        State::Runs => "runs",
        State::Off => "off",
        State::Broken => "broken: it stays down",
    };
    lines.title(format_args!("service {}: {state}", service.name));
    settings(lines, 1, &service.settings);
    match &service.unusable {
        Some(unusable) => lines.line(1, format_args!("{}  {}", unusable.reason, unusable.place)),
        None if service.state != State::Off => tls(lines, 1, report, &service.tls),
        None => {}
    }
    for one in &service.rules {
        rule(lines, report, one);
    }
}

fn rule(lines: &mut Lines, report: &Report<'_>, rule: &Rule) {
    let address = if rule.address.is_empty() { "every address" } else { &rule.address };
    let may = match (rule.allow, rule.used, &rule.relay) {
        (false, ..) => "may not connect",
        (true, false, _) => "no client is ever under it",
        (true, true, None) => "may connect",
        (true, true, Some(_)) => "may connect and relay",
    };
    lines.line(1, format_args!("rule for {address}: {may}  {}", rule.whence));
    settings(lines, 2, rule.ciphers.as_slice());
    if let Some(relay) = rule.relay.as_ref().filter(|relay| !relay.value.to_string().is_empty()) {
        settings(lines, 2, std::slice::from_ref(relay));
    }
    if let Some(offered) = &rule.tls {
        tls(lines, 2, report, offered);
    }
    if !rule.without_effect.is_empty() {
        lines.line(2, format_args!("without effect: {}", rule.without_effect.join(", ")));
    }
}

fn tls(lines: &mut Lines, depth: usize, report: &Report<'_>, offered: &ServiceTls) {
    match report.acceptor(offered) {
        None => lines.line(depth, "no TLS is offered"),
        Some(Ok(taken)) => offer(lines, depth, report, mode(offered), &taken),
        Some(Err(error)) => {
            let place = error.origin().and_then(|origin| print::place(report.control, origin));
            let place = place.map(|place| format!("  {place}")).unwrap_or_default();
            lines.line(depth, format_args!("{} cannot serve this: {error}{place}", report.backend));
        }
    }
    unhonoured(lines, depth, report, &report.judges.borrow_mut().unhonoured(offered));
}

fn offer(
    lines: &mut Lines,
    depth: usize,
    report: &Report<'_>,
    mode: &str,
    (acceptor, lost): &Taken,
) {
    what_is_offered(lines, depth, mode, acceptor.offer().into(), "client");
    unhonoured(lines, depth, report, lost);
}

fn what_is_offered(lines: &mut Lines, depth: usize, mode: &str, offer: Offered<'_>, peer: &str) {
    let names = |suites: &[&'static Suite]| match suites {
        [] => "none".to_owned(),
        suites => suites.iter().map(|suite| suite.name()).collect::<Vec<_>>().join(" "),
    };
    lines.line(depth, format_args!("offered by {mode}"));
    lines.line(depth + 1, format_args!("TLSv1.3: {}", names(offer.tls13)));
    lines.line(depth + 1, format_args!("TLSv1.2: {}", names(offer.tls12)));
    if !offer.groups.is_empty() {
        lines.line(depth + 1, format_args!("groups: {}", offer.groups.join(" ")));
    }
    if let Some(group) = offer.dhe {
        lines.line(depth + 1, format_args!("DHE group: {}", dhe::words(group)));
    }
    if let Some(ModernPeer { version, suite, group }) = offers::modern_peer(offer) {
        let group = group.unwrap_or_default();
        lines.line(
            depth + 1,
            format_args!("a modern {peer} gets {version} {} {group}", suite.name()),
        );
    }
}

fn unhonoured(lines: &mut Lines, depth: usize, report: &Report<'_>, settings: &[Unhonoured]) {
    for Unhonoured { origin, setting, loss, cause, reason, .. } in settings {
        let what = match loss {
            Loss::NotNeeded => "not needed",
            Loss::Partial => "honoured in part",
            Loss::Whole => "not honoured",
        };
        let whose = match cause {
            Cause::Setting => "whichever library".to_owned(),
            Cause::Library => format!("by {}", report.backend),
        };
        let place = origin.and_then(|origin| print::place(report.control, origin));
        let place = place.map(|place| format!("  {place}")).unwrap_or_default();
        lines.line(depth, format_args!("{what} {whose}: {setting}: {reason}{place}"));
    }
}

fn mail_to(domain: &str, address: Option<&str>) -> String {
    let by = address.map(|by| format!(", by IP address {by}")).unwrap_or_default();
    match domain {
        "" => format!("mail to a domain that no block names{by}"),
        domain => format!("mail to {domain}{by}"),
    }
}

fn all(lines: &mut Lines, report: &Report<'_>, outgoing: &Outgoing) {
    lines.title("outgoing mail");
    settings(lines, 1, &outgoing.settings);
    for directive in &outgoing.directives {
        let of = |what: &str, names: &[String]| match names {
            [] => String::new(),
            names => format!(" {what} {}", names.join(", ")),
        };
        let addresses = of("ip_address", &directive.addresses);
        let domains = of("domain", &directive.domains);
        let without = if directive.counts { "" } else { " (without effect in this place)" };
        lines.line(
            1,
            format_args!(
                "{} {}{addresses}{domains}{without}  {}",
                directive.name, directive.value, directive.whence
            ),
        );
    }
    for route in &outgoing.routes {
        let to = match &route.route {
            Ok(Some(route)) => route,
            Ok(None) => "its own hosts",
            Err(error) => error,
        };
        lines.line(1, format_args!("route of {:?}: {to}  {}", route.domain, route.whence));
    }
    lines.title(mail_to("", None));
    delivery(lines, report, outgoing.otherwise.as_ref());
    for one in &outgoing.named {
        lines.title(mail_to(&one.domain, one.address.as_deref()));
        delivery(lines, report, one.delivery.as_ref());
    }
    if !outgoing.named_is_whole {
        lines.title("there are more of these than are shown: ask for one with --to");
    }
}

fn delivery(lines: &mut Lines, report: &Report<'_>, of: Result<&Delivery, &UnusableRule>) {
    let delivery = match of {
        Ok(delivery) => delivery,
        Err(error) => {
            let place = error.origin.and_then(|origin| print::place(report.control, origin));
            let place = place.map(|place| format!("  {place}")).unwrap_or_default();
            lines.line(1, format_args!("it is kept back: {}{place}", error.reason));
            return;
        }
    };
    settings(lines, 1, &delivery.settings);
    match report.connector(delivery) {
        None => lines.line(1, "no TLS is used"),
        Some(Ok(connector)) => {
            let mode = mode_of(&delivery.policy);
            what_is_offered(lines, 1, mode, connector.offer().into(), "server");
            unhonoured(lines, 1, report, connector.unhonoured());
        }
        Some(Err(error)) => {
            lines.line(1, format_args!("{} cannot do this: {error}", report.backend))
        }
    }
}

fn settings(lines: &mut Lines, depth: usize, settings: &[Explained]) {
    let (name, wide) = COLUMNS;
    for Explained { setting, value, whence, overrode, vendor_unsupported } in settings {
        let value = value.to_string();
        let mark = if *vendor_unsupported { "  (the vendor calls it unsupported)" } else { "" };
        lines.line(depth, format_args!("{setting:name$}  {value:wide$}  {whence}{mark}"));
        for other in overrode {
            let text = other.text.as_deref().map(|text| format!("{text}  ")).unwrap_or_default();
            lines.line(depth, format_args!("{:name$}  overrode {text}{}", "", other.whence));
        }
    }
}
