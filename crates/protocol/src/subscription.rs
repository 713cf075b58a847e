//! What a device's subscription says about which commands it is ready for.
//!
//! Commands go out without any subscription, so a filter decides nothing about routing. But a device that does
//! subscribe loses what arrives before its subscription is acknowledged (docs/device-protocol.md, "Settling").

/// How much of a device's own command topics a filter covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Coverage {
    /// The commands of every service.
    pub services: bool,
    /// Setting measurement points.
    pub points: bool,
    /// Some command topic at least, perhaps of a single service: this client waits for its subscriptions.
    pub any: bool,
}

const ALL: Coverage = Coverage {
    services: true,
    points: true,
    any: true,
};
const NONE: Coverage = Coverage {
    services: false,
    points: false,
    any: false,
};

/// What the filter of a SUBSCRIBE covers, for the device with these keys.
#[must_use]
pub fn coverage(filter: &str, product_key: &str, device_key: &str) -> Coverage {
    let mut levels = filter.split('/');
    for expected in ["", "sys", product_key, device_key, "thing", "service"] {
        match levels.next() {
            Some("#") => return ALL,
            Some(level) if level == "+" || level == expected => {}
            _ => return NONE,
        }
    }
    below_service(&levels.collect::<Vec<_>>())
}

/// The one service whose commands the filter of a SUBSCRIBE covers, for the device with these keys; `None` if it covers
/// none or more than one.
#[must_use]
pub fn named_service<'f>(filter: &'f str, product_key: &str, device_key: &str) -> Option<&'f str> {
    let found = coverage(filter, product_key, device_key);
    let (_, service) = filter
        .match_indices('/')
        .nth(5)
        .map(|(at, _)| filter.split_at(at + 1))?;
    // A trailing `#` covers its parent too.
    let service = service.strip_suffix("/#").unwrap_or(service);
    let is_one = found.any && !found.services && !found.points && !service.contains(['+', '#']);
    (is_one && !matches!(service, "" | "measurepoint" | "measurepoint/get")).then_some(service)
}

fn below_service(levels: &[&str]) -> Coverage {
    match levels {
        [] => NONE,
        ["#"] | ["+", "#"] => ALL,
        ["+"] => Coverage { services: true, ..SOME },
        ["+" | "measurepoint", "+" | "set" | "#"] | ["+" | "measurepoint", "+" | "set", "#"] => {
            Coverage { points: true, ..SOME }
        }
        _ => SOME,
    }
}

const SOME: Coverage = Coverage { any: true, ..NONE };

#[cfg(test)]
mod tests {
    use super::*;

    fn of(filter: &str) -> (bool, bool, bool) {
        let found = coverage(filter, "pk", "dk");
        (found.services, found.points, found.any)
    }

    #[test]
    fn wildcards_at_the_top_cover_everything() {
        for filter in [
            "#",
            "/#",
            "/sys/#",
            "/sys/pk/dk/#",
            "/sys/+/+/thing/service/#",
            "/+/+/+/+/+/+/#",
        ] {
            assert_eq!(of(filter), (true, true, true), "{filter}");
        }
    }

    #[test]
    fn the_filters_of_the_c_library_cover_one_kind_each() {
        assert_eq!(of("/sys/pk/dk/thing/service/+"), (true, false, true));
        assert_eq!(of("/sys/+/+/thing/service/+"), (true, false, true));
        assert_eq!(of("/sys/pk/dk/thing/service/measurepoint/set"), (false, true, true));
        assert_eq!(of("/sys/pk/dk/thing/service/+/set"), (false, true, true));
        assert_eq!(of("/sys/pk/dk/thing/service/measurepoint/#"), (false, true, true));
    }

    #[test]
    fn one_service_is_not_every_service() {
        assert_eq!(of("/sys/pk/dk/thing/service/multiply"), (false, false, true));
        assert_eq!(of("/sys/pk/dk/thing/service/measurepoint/get"), (false, false, true));
    }

    #[test]
    fn filter_of_one_service_names_it() {
        for (filter, named) in [
            ("/sys/pk/dk/thing/service/multiply", Some("multiply")),
            ("/sys/+/+/thing/service/multiply", Some("multiply")),
            ("/+/pk/dk/thing/+/multiply/#", Some("multiply")),
            ("/sys/pk/dk/thing/service/a/b", Some("a/b")),
            ("/sys/pk/dk/thing/service/+", None),
            ("/sys/pk/dk/thing/service/#", None),
            ("/sys/pk/dk/#", None),
            ("/sys/pk/dk/thing/service/", None),
            ("/sys/pk/dk/thing/service/+/b", None),
            ("/sys/pk/dk/thing/service/measurepoint/set", None),
            ("/sys/pk/dk/thing/service/measurepoint/get", None),
            ("/sys/pk/other/thing/service/multiply", None),
            ("/sys/pk/dk/thing/event/multiply", None),
        ] {
            assert_eq!(named_service(filter, "pk", "dk"), named, "{filter}");
        }
    }

    #[test]
    fn replies_and_other_devices_are_no_commands() {
        for filter in [
            "",
            "/",
            "/sys/pk/dk/thing/service",
            "/sys/pk/dk/thing/measurepoint/post_reply",
            "/sys/pk/dk/thing/event/+/post_reply",
            "/sys/pk/other/thing/service/+",
            "/sys/other/dk/#",
            "/ext/session/pk/dk/#",
            "sys/pk/dk/thing/service/+",
        ] {
            assert_eq!(of(filter), (false, false, false), "{filter}");
        }
    }
}
