//! Searches: what passes the filter, newest first, cut into pages, within one organization.

use std::fmt::Debug;

use aldis_core::command::Command;
use aldis_core::expression::{CommandField, DeviceField, Field, Filter, JobField, ModelField, ProductField, TaskField};
use aldis_core::i18n::I18nText;
use aldis_core::ids::{DeviceNo, JobNo, ModelId, OrgId, ProductKey, TaskNo};
use aldis_core::time::Timestamp;
use aldis_store::rows::{Activity, Model, NewJob};
use aldis_store::{DeviceCounts, Error, Found, OnlineDevices, PAGE_BYTES_MAX, Page, Write};
use serde_json::json;

use super::bench::{ALL, Bench};
use super::sample::{
    self, MODEL, ORG, OTHER_ORG, OTHER_PRODUCT, PRODUCT, device_job, new_device, org, product_job, single_command,
    texts,
};

fn filter<F: Field>(text: &str) -> Filter<F> {
    Filter::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn check<K: PartialEq + Debug>(text: &str, found: &(Vec<K>, u64), expected: &[K]) {
    assert_eq!(found.0, expected, "{text}");
    assert_eq!(found.1, expected.len() as u64, "{text}");
}

fn keys<T, K>(found: Found<T>, key: impl Fn(T) -> K) -> (Vec<K>, u64) {
    (found.rows.into_iter().map(key).collect(), found.total)
}

fn jobs(bench: &mut Bench, text: &str) -> (Vec<JobNo>, u64) {
    let filter = filter::<JobField>(text);
    keys(bench.read().search_jobs(&org(), Some(&filter), ALL).unwrap(), |found| {
        found.job.no
    })
}

fn tasks(bench: &mut Bench, text: &str) -> (Vec<TaskNo>, u64) {
    let filter = filter::<TaskField>(text);
    keys(
        bench.read().search_tasks(&org(), Some(&filter), ALL).unwrap(),
        |found| found.task.no,
    )
}

fn devices(bench: &mut Bench, text: &str) -> (Vec<DeviceNo>, u64) {
    let (filter, online) = (filter::<DeviceField>(text), bench.online());
    keys(
        bench
            .read()
            .search_devices(&org(), Some(&filter), &online, ALL)
            .unwrap(),
        |found| found.no,
    )
}

fn products(bench: &mut Bench, text: &str) -> (Vec<ProductKey>, u64) {
    let filter = filter::<ProductField>(text);
    keys(
        bench.read().search_products(&org(), Some(&filter), ALL).unwrap(),
        |found| found.key,
    )
}

fn models(bench: &mut Bench, text: &str) -> (Vec<ModelId>, u64) {
    let filter = filter::<ModelField>(text);
    keys(
        bench.read().search_models(&org(), Some(&filter), ALL).unwrap(),
        |found| found.id,
    )
}

pub fn a_page_of_large_rows_is_refused_and_not_cut_short(bench: &mut Bench) {
    const HALF: usize = PAGE_BYTES_MAX / 2 + 1;
    let devices = bench.with_devices(&["d1", "d2"]);
    let large = |new: NewJob| NewJob {
        command: Command::SetMeasurepoint {
            measurepoint_id: "p".to_owned(),
            value: json!("x".repeat(HALF)),
        },
        ..new
    };
    bench.create(large(device_job(&devices)));
    for job in [
        device_job(&devices[..1]),
        single_command(devices[0]),
        single_command(devices[0]),
    ] {
        bench.create(large(job));
    }
    let (one, two) = (Page { skip: 1, take: 1 }, Page { skip: 0, take: 2 });
    let read = bench.read();
    let names = read.job_names(&[JobNo(2), JobNo(99)]).unwrap();
    assert_eq!(names, [Some(device_job(&devices).text.name), None]);
    let found = [
        read.search_jobs(&org(), None, one)
            .map(|found| (found.rows.len(), found.total)),
        read.search_tasks(&org(), None, one)
            .map(|found| (found.rows.len(), found.total)),
        read.search_commands(devices[0], None, one)
            .map(|found| (found.rows.len(), found.total)),
    ];
    assert_eq!(found.map(Result::unwrap), [(1, 2), (1, 5), (1, 2)]);
    assert!(matches!(read.search_jobs(&org(), None, two), Err(Error::PageTooLarge)));
    assert!(matches!(
        read.search_commands(devices[0], None, two),
        Err(Error::PageTooLarge)
    ));
    // Both tasks of one job: what they share counts for each.
    let both = Page { skip: 3, take: 2 };
    assert!(matches!(
        read.search_tasks(&org(), None, both),
        Err(Error::PageTooLarge)
    ));
}

pub fn pages_are_cut_from_all_matches(bench: &mut Bench) {
    let registered = bench.with_devices(&["d1", "d2", "d3", "d4", "d5"]);
    let newest_first: Vec<DeviceNo> = registered.iter().rev().copied().collect();
    let wanted = filter::<DeviceField>("deviceKey != 'd3'");
    let cases = [
        (None, 0, 2, newest_first[..2].to_vec(), 5),
        (None, 2, 2, newest_first[2..4].to_vec(), 5),
        (None, 4, 2, newest_first[4..].to_vec(), 5),
        (None, 9, 2, vec![], 5),
        (None, 0, 0, vec![], 5),
        (None, u64::MAX, u64::MAX, vec![], 5),
        (None, 0, u64::MAX, newest_first.clone(), 5),
        (Some(&wanted), 1, 2, vec![newest_first[1], newest_first[3]], 4),
    ];
    for (filter, skip, take, expected, total) in cases {
        let found = bench
            .read()
            .search_devices(&org(), filter, &OnlineDevices::default(), Page { skip, take })
            .unwrap();
        assert_eq!(keys(found, |device| device.no), (expected, total), "{skip}, {take}");
    }
    let page = Page { skip: 1, take: 1 };
    let job = bench.create(device_job(&registered));
    let found = bench.read().search_tasks(&org(), None, page).unwrap();
    assert_eq!(keys(found, |info| info.task.no), (vec![TaskNo(4)], 5));
    bench.create(product_job(&[PRODUCT]));
    let found = bench.read().search_jobs(&org(), None, page).unwrap();
    assert_eq!(keys(found, |detail| detail.job.no), (vec![job], 2));
    for (index, key) in (0..).zip(["a", "b"]) {
        let mut product = sample::product(ORG, key);
        product.created = Timestamp(1_700_000_001_000 + index);
        bench.done(Write::CreateProduct(product));
        let mut model = sample::model(ORG, key);
        model.created = Timestamp(1_700_000_001_000 + index);
        bench.done(Write::CreateModel(model));
    }
    let found = bench.read().search_products(&org(), None, page).unwrap();
    assert_eq!(keys(found, |product| product.key), (vec!["a".into()], 3));
    let found = bench.read().search_models(&org(), None, page).unwrap();
    assert_eq!(keys(found, |model| model.id), (vec!["a".into()], 3));
}

pub fn pages_of_tasks_in_a_state_are_cut_from_all_of_them(bench: &mut Bench) {
    let registered = bench.with_devices(&["d1", "d2", "d3", "d4", "d5", "d6", "d7", "d8"]);
    let (_, numbers) = bench.running(device_job(&registered));
    let queued = filter::<TaskField>("status = 'QUEUED'");
    let pages = |bench: &mut Bench, expected: &[TaskNo]| {
        for take in 1..=expected.len() + 1 {
            for skip in 0..=expected.len() {
                let page = Page {
                    skip: skip as u64,
                    take: take as u64,
                };
                let found = bench.read().search_tasks(&org(), Some(&queued), page).unwrap();
                let wanted = expected.iter().skip(skip).take(take).copied();
                let wanted = (wanted.collect::<Vec<_>>(), expected.len() as u64);
                assert_eq!(keys(found, |info| info.task.no), wanted, "{skip}, {take}");
            }
        }
    };
    let newest_first = |numbers: &[TaskNo]| numbers.iter().rev().copied().collect::<Vec<_>>();
    pages(bench, &newest_first(&numbers));
    bench.succeed(numbers[2]);
    bench.fail(numbers[5]);
    let left = [0, 1, 3, 4, 6, 7].map(|index| numbers[index]);
    pages(bench, &newest_first(&left));
}

pub fn jobs_are_found_by_every_field(bench: &mut Bench) {
    let registered = bench.with_devices(&["d1"]);
    let mut first = device_job(&registered);
    first.text.name = I18nText {
        default_value: "Ölwechsel 100%".to_owned(),
        i18n_value: texts(&[("en_US", "Oil change"), ("zh_CN", "")]),
    };
    let first = bench.create(first);
    let first_created = bench.now.0;
    let (second, _) = bench.running(device_job(&registered));
    let (third, done) = bench.running(NewJob {
        ..device_job(&registered)
    });
    bench.succeed(done[0]);
    let cases: [(String, &[JobNo]); 14] = [
        (String::new(), &[third, second, first]),
        (format!("jobId = '{}'", second.to_job_id()), &[second]),
        (
            format!("jobId in ('{}', {}, 'x')", second.to_job_id(), third.to_job_id()),
            &[third, second],
        ),
        (format!("jobId not in ('{}')", second.to_job_id()), &[third, first]),
        ("status = 'INIT'".to_owned(), &[first]),
        ("status in ('IN_PROGRESS', 'FINISHED')".to_owned(), &[third, second]),
        ("status != 'FINISHED'".to_owned(), &[second, first]),
        ("name like 'ÖLWECHSEL 100%'".to_owned(), &[first]),
        ("name like 'oil'".to_owned(), &[first]),
        ("name.default like 'oil'".to_owned(), &[]),
        (
            "name.en_US like 'OIL' or name.zh_CN like 'wechsel'".to_owned(),
            &[first],
        ),
        (format!("createTime = {first_created}"), &[first]),
        (
            format!("createTime > {first_created} and not status = 'FINISHED'"),
            &[second],
        ),
        (
            format!("createTime <= {first_created} or (status = 'FINISHED' and name like 'up')"),
            &[third, first],
        ),
    ];
    for (text, expected) in cases {
        check(&text, &jobs(bench, &text), expected);
    }
}

pub fn tasks_are_found_by_every_field(bench: &mut Bench) {
    let registered = bench.with_devices(&["d1", "d2", "d3"]);
    let mut retrying = device_job(&registered);
    retrying.policy = sample::retrying();
    let (job, numbers) = bench.running(retrying);
    let created = bench.job(job).tasks_created.0;
    bench.succeed(numbers[0]);
    bench.fail(numbers[1]);
    let later = bench.create(device_job(&registered[..1]));
    let [a, b, c] = [numbers[0], numbers[1], numbers[2]];
    let d = bench.numbers(later)[0];
    bench.delete_device(registered[2]);
    let cases: [(String, &[TaskNo]); 16] = [
        (String::new(), &[d, c, b, a]),
        (format!("jobId = '{}'", job.to_job_id()), &[c, b, a]),
        (format!("jobId != '{}'", job.to_job_id()), &[d]),
        (
            format!("taskId in ('{}', '{}', 'x')", a.to_task_id(), d.to_task_id()),
            &[d, a],
        ),
        (format!("ztaskId = {}", b.to_task_id()), &[b]),
        (format!("assetId = 'asset-{PRODUCT}-d3'"), &[c]),
        (format!("productKey = '{PRODUCT}' and deviceKey = 'd1'"), &[d, a]),
        ("pk = 'unknown'".to_owned(), &[]),
        ("dk not in ('d1', 'd2')".to_owned(), &[c]),
        ("status = 'QUEUED'".to_owned(), &[c, b]),
        ("status = 'succeed' or status = 'INIT'".to_owned(), &[d, a]),
        ("status != 'SUCCEED'".to_owned(), &[d, c, b]),
        (
            "status in ('FAILED', 'CANCELED', 'RSP_TIMEOUT', 'TTL_TIMEOUT', 'PUBLISHED', 'IN_PROGRESS')".to_owned(),
            &[],
        ),
        (format!("createTime = {created}"), &[c, b, a]),
        (format!("createTime > {created}"), &[d]),
        (
            format!(
                "jobId = '{}' and not (status = 'SUCCEED' or dk = 'd2')",
                job.to_job_id()
            ),
            &[c],
        ),
    ];
    for (text, expected) in cases {
        check(&text, &tasks(bench, &text), expected);
    }
}

pub fn devices_are_found_by_every_field(bench: &mut Bench) {
    bench.found();
    let mut gateway = sample::product(ORG, "box");
    gateway.gateway = true;
    gateway.model = "second".into();
    bench.done(Write::CreateModel(sample::model(ORG, "second")));
    bench.done(Write::CreateProduct(gateway));
    let mut first = new_device(ORG, PRODUCT, "d1");
    first.attributes = [
        ("n", json!(10)),
        ("t", json!("Ten")),
        ("b", json!(true)),
        ("f", json!(2.5)),
        ("nothing", json!(null)),
        ("with.dot", json!(1)),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value))
    .collect();
    first.tags = texts(&[("floor", "3"), ("room", "")]);
    let mut second = new_device(ORG, "box", "d2");
    second.attributes.clear();
    second.attributes.insert("n".to_owned(), json!("10"));
    second.tags.clear();
    second.name = I18nText::plain("The Box");
    let [a, b] = bench.register(vec![first, second])[..] else {
        panic!("two devices")
    };
    let cases: [(&str, &[DeviceNo]); 28] = [
        ("", &[b, a]),
        ("assetId = 'asset-box-d2'", &[b]),
        ("productKey in ('box', 'unknown')", &[b]),
        ("dk = 'd1'", &[a]),
        ("modelId = 'second'", &[b]),
        ("modelId != 'second'", &[a]),
        ("productType = 'Gateway'", &[b]),
        ("productType = 'device'", &[a]),
        ("deviceName like 'BOX'", &[b]),
        ("deviceName.zh_CN like '设备'", &[a]),
        ("deviceAttributes.n = 10", &[a]),
        ("deviceAttributes.n = 10.0", &[a]),
        ("deviceAttributes.n = '10'", &[b]),
        ("deviceAttributes.n != 10", &[b]),
        ("deviceAttributes.f in (1, 2.5)", &[a]),
        ("deviceAttributes.b = true", &[a]),
        ("deviceAttributes.b = 1", &[a]),
        ("deviceAttributes.t = 'ten'", &[]),
        ("exists(deviceAttributes.nothing)", &[]),
        ("exists(deviceAttributes.n)", &[b, a]),
        ("deviceAttributes.t = null", &[b]),
        ("deviceTags.floor = 3", &[a]),
        ("deviceTags.floor != '3'", &[b]),
        ("deviceTags.room = ''", &[a]),
        ("exists(deviceTags.room)", &[a]),
        ("not exists(deviceTags.room)", &[b]),
        ("deviceTags.floor not in ('1', '3')", &[b]),
        ("not (dk = 'd1' or productType = 'Gateway')", &[]),
    ];
    for (text, expected) in cases {
        check(text, &devices(bench, text), expected);
    }
}

pub fn a_devices_status_is_merged_from_rows_and_presence(bench: &mut Bench) {
    let registered = bench.with_devices(&["inactive", "offline", "online", "disabled", "new-online"]);
    let [inactive, offline, online, disabled, new_online] = registered[..] else {
        panic!("five devices")
    };
    let seen = |device| Activity {
        device,
        online: Some(Timestamp(1)),
        offline: None,
    };
    bench.done(Write::Activity([offline, online, disabled].map(seen).to_vec()));
    bench.disable(disabled, true);
    for device in [online, disabled, new_online] {
        bench.sessions.come(device);
    }
    let cases: [(&str, &[DeviceNo]); 8] = [
        ("status = 'online'", &[new_online, online]),
        ("status = 'offline'", &[offline]),
        ("status = 'inactive'", &[inactive]),
        ("status = 'disable'", &[disabled]),
        ("status != 'ONLINE'", &[disabled, offline, inactive]),
        ("status in ('online', 'disabled')", &[new_online, disabled, online]),
        ("status not in ('online', 'disabled')", &[offline, inactive]),
        (
            "not status = 'online' and deviceKey != 'offline'",
            &[disabled, inactive],
        ),
    ];
    for (text, expected) in cases {
        check(text, &devices(bench, text), expected);
    }
    let page = Page { skip: 1, take: 1 };
    let online_now = filter::<DeviceField>("status = 'online'");
    let sessions = bench.online();
    let found = bench
        .read()
        .search_devices(&org(), Some(&online_now), &sessions, page)
        .unwrap();
    assert_eq!(keys(found, |device| device.no), (vec![online], 2), "totals are exact");
    let expected = DeviceCounts {
        online: 2,
        offline: 1,
        inactive: 1,
        disabled: 1,
    };
    let mut count = |product: Option<&str>| {
        bench
            .read()
            .count_devices(&org(), product.map(ProductKey::from).as_ref(), &sessions)
    };
    assert_eq!(count(None).unwrap(), expected, "of the organization");
    assert_eq!(count(Some(PRODUCT)).unwrap(), expected, "of the product");
    assert_eq!(
        count(Some("other")).unwrap(),
        DeviceCounts::default(),
        "of a product without devices"
    );
    bench.sessions.go(online);
    bench.sessions.go(new_online);
    check("offline now", &devices(bench, "status = 'offline'"), &[online, offline]);
    check(
        "was only seen",
        &devices(bench, "status = 'inactive'"),
        &[new_online, inactive],
    );
}

pub fn products_are_found_by_every_field(bench: &mut Bench) {
    bench.found();
    bench.done(Write::CreateModel(sample::model(ORG, "second")));
    let mut other = sample::product(ORG, "box");
    other.model = "second".into();
    other.created = Timestamp(1_700_000_009_000);
    other.name = I18nText {
        default_value: "Kiste".to_owned(),
        i18n_value: texts(&[("en_US", "Box")]),
    };
    other.tags = texts(&[("site", "south"), ("a/b", "1")]);
    bench.done(Write::CreateProduct(other));
    let cases: [(&str, &[&str]); 10] = [
        ("", &["box", PRODUCT]),
        ("productKey = 'box'", &["box"]),
        ("pk not in ('box')", &[PRODUCT]),
        ("modelId = 'second'", &["box"]),
        ("productName like 'KIST'", &["box"]),
        ("productName.default like 'box'", &[]),
        (
            "productName like 'box' or productName like 'turbine'",
            &["box", PRODUCT],
        ),
        ("productTags.site = 'north'", &[PRODUCT]),
        ("productTags.site in ('south', 'north')", &["box", PRODUCT]),
        ("exists(productTags.missing)", &[]),
    ];
    for (text, expected) in cases {
        let expected: Vec<ProductKey> = expected.iter().map(|key| ProductKey::from(*key)).collect();
        check(text, &products(bench, text), &expected);
    }
}

pub fn models_are_found_by_every_field(bench: &mut Bench) {
    bench.found();
    let document = json!({
        "modelId": "pump_2",
        "name": {"defaultValue": "Pumpe", "i18nValue": {"en_US": "Pump"}},
        "tags": {"kind": "wet"},
        "attributes": {"depth": {"identifier": "depth", "dataType": "DOUBLE", "tags": {"unit": "m"}}},
        "measurepoints": {
            "flow": {"identifier": "flow", "dataType": "DOUBLE", "tags": {"unit": "l"}},
            "heat": {"identifier": "heat", "dataType": "DOUBLE", "tags": {"unit": "K"}}
        },
        "services": {"stop": {"identifier": "stop", "tags": {"risk": "low"}}},
        "events": {"leak": {"identifier": "leak", "outputData": [], "tags": {"level": "high"}}}
    });
    bench.done(Write::CreateModel(Model {
        document,
        created: Timestamp(1_700_000_009_000),
        ..sample::model(ORG, "pump_2")
    }));
    let cases: [(&str, &[&str]); 17] = [
        ("", &["pump_2", MODEL]),
        ("modelId = 'pump_2'", &["pump_2"]),
        ("modelId like 'P_2'", &["pump_2"]),
        ("modelId like 'pump%'", &[]),
        ("modelId not in ('pump_2')", &[MODEL]),
        ("modelName like 'pumpe'", &["pump_2"]),
        ("modelName.en_US like 'pumpe'", &[]),
        ("name like 'MODEL'", &[MODEL]),
        ("tags.kind = 'wet'", &["pump_2"]),
        ("tags.kind != 'wet'", &[MODEL]),
        ("attribute_tags.unit = 'm'", &["pump_2"]),
        (
            "measurepoint_tags.unit = 'K' and measurepoint_tags.unit = 'l'",
            &["pump_2"],
        ),
        ("measurepoint_tags.unit != 'K'", &[MODEL]),
        ("service_tags.risk in ('low', 'high')", &["pump_2"]),
        ("exists(service_tags.unit)", &[]),
        ("event_tags.level = 'high'", &["pump_2"]),
        ("exists(event_tags.risk)", &[]),
    ];
    for (text, expected) in cases {
        let expected: Vec<ModelId> = expected.iter().map(|id| ModelId::from(*id)).collect();
        check(text, &models(bench, text), &expected);
    }
}

fn commands(bench: &mut Bench, device: DeviceNo, text: &str) -> (Vec<TaskNo>, u64) {
    let filter = filter::<CommandField>(text);
    keys(
        bench.read().search_commands(device, Some(&filter), ALL).unwrap(),
        |found| found.task.no,
    )
}

pub fn single_commands_are_found_by_their_device_and_not_among_jobs(bench: &mut Bench) {
    let registered = bench.with_devices(&["d1", "d2"]);
    let (job, of_job) = bench.running(device_job(&registered));
    let (_, waiting) = bench.running(single_command(registered[0]));
    let named = bench.next_moment();
    let mut second = single_command(registered[0]);
    second.text.name = I18nText::plain("Slow down");
    let (_, done) = bench.running(second);
    let (_, elsewhere) = bench.running(single_command(registered[1]));
    bench.succeed(done[0]);
    let (waiting, done, elsewhere) = (waiting[0], done[0], elsewhere[0]);
    assert!(
        bench.read().task_infos(&[waiting]).unwrap()[0]
            .as_ref()
            .unwrap()
            .job
            .single
    );
    assert!(!bench.job(job).single);
    check("all", &commands(bench, registered[0], ""), &[done, waiting]);
    check("all", &commands(bench, registered[1], ""), &[elsewhere]);
    let text = format!("createTime >= {}", named.0);
    check(&text, &commands(bench, registered[0], &text), &[done]);
    for (text, expected) in [
        ("state = 1", &[waiting][..]),
        ("state = 5", &[done]),
        ("state != 5", &[waiting]),
        ("state in (1, 5) and commandName.default like 'slow'", &[done]),
        ("commandName.zh_CN like 'Speed'", &[waiting]),
        ("state = 3", &[]),
    ] {
        check(text, &commands(bench, registered[0], text), expected);
    }
    let page = Page { skip: 1, take: 1 };
    let found = bench.read().search_commands(registered[0], None, page).unwrap();
    assert_eq!(keys(found, |found| found.task.no), (vec![waiting], 2));
    check("jobs", &jobs(bench, ""), &[job]);
    check("jobs", &jobs(bench, "status != 'INIT'"), &[job]);
    let everything = [elsewhere, done, waiting, of_job[1], of_job[0]];
    check("tasks", &tasks(bench, ""), &everything);
    bench.reopen();
    check("all", &commands(bench, registered[0], ""), &[done, waiting]);
}

pub fn nothing_crosses_an_organization(bench: &mut Bench) {
    let own = bench.with_devices(&["d1"]);
    let foreign = bench.register(vec![new_device(OTHER_ORG, OTHER_PRODUCT, "d1")]);
    bench.create(device_job(&own));
    bench.create(NewJob {
        org: OTHER_ORG.into(),
        ..device_job(&foreign)
    });
    for (org, product, device, number) in [(ORG, PRODUCT, own[0], 1), (OTHER_ORG, OTHER_PRODUCT, foreign[0], 2)] {
        let org = OrgId::from(org);
        let read = bench.read();
        let everything = [
            keys(read.search_models(&org, None, ALL).unwrap(), |model| {
                format!("{:?}", model.org)
            }),
            keys(read.search_products(&org, None, ALL).unwrap(), |product| {
                format!("{:?}", product.key)
            }),
            keys(
                read.search_devices(&org, None, &OnlineDevices::default(), ALL).unwrap(),
                |device| format!("{:?}", device.no),
            ),
            keys(read.search_jobs(&org, None, ALL).unwrap(), |detail| {
                format!("{:?}", detail.job.no)
            }),
            keys(read.search_tasks(&org, None, ALL).unwrap(), |info| {
                format!("{:?}", info.task.no)
            }),
        ];
        let expected = [
            format!("{org:?}"),
            format!("{:?}", ProductKey::from(product)),
            format!("{device:?}"),
            format!("{:?}", JobNo(number)),
            format!("{:?}", TaskNo(number)),
        ];
        assert_eq!(everything, expected.map(|only| (vec![only], 1)));
    }
    let foreign_job = format!("jobId = '{}'", JobNo(2).to_job_id());
    check(&foreign_job, &jobs(bench, &foreign_job), &[]);
    check(&foreign_job, &tasks(bench, &foreign_job), &[]);
    let foreign_task = format!("taskId = '{}'", TaskNo(2).to_task_id());
    check(&foreign_task, &tasks(bench, &foreign_task), &[]);
    check("dk = 'd1'", &devices(bench, "dk = 'd1'"), &own);
    let found = bench
        .read()
        .search_devices(&"nobody".into(), None, &OnlineDevices::default(), ALL)
        .unwrap();
    assert_eq!(found.total, 0);
}

pub fn what_is_deleted_is_not_found(bench: &mut Bench) {
    let registered = bench.with_devices(&["d1", "d2"]);
    let deleted = bench.create(device_job(&registered));
    bench.done(Write::DeleteJob {
        job: deleted,
        by: sample::by(),
    });
    let kept = bench.create(device_job(&registered));
    bench.delete_device(registered[0]);
    check("jobs", &jobs(bench, ""), &[kept]);
    check("devices", &devices(bench, ""), &registered[1..]);
    check("tasks", &tasks(bench, ""), &[TaskNo(4), TaskNo(3)]);
    let by_job = format!("jobId = '{}'", deleted.to_job_id());
    check(&by_job, &tasks(bench, &by_job), &[]);
    check("its tasks stay", &tasks(bench, "deviceKey = 'd1'"), &[TaskNo(3)]);
}
