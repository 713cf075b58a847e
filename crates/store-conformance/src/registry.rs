//! Organizations, access keys, thing models, products.

use aldis_core::command::Qos;
use aldis_core::i18n::I18nText;
use aldis_store::rows::{MODELS_PER_ORG_MAX, Model, Organization, ProductChange, Role, Secret};
use aldis_store::{Done, Refusal, Write};
use serde_json::{Value, json};

use super::bench::{ALL, Bench, delete};
use super::sample::{self, MODEL, ORG, OTHER_ORG, OTHER_PRODUCT, PRODUCT, device_job, org, texts};

pub fn organizations_are_created_disabled_and_deleted(bench: &mut Bench) {
    let (wind, solar) = (sample::organization(ORG), sample::organization(OTHER_ORG));
    bench.done(Write::CreateOrganization(wind.clone()));
    bench.done(Write::CreateOrganization(solar.clone()));
    bench.refused(Write::CreateOrganization(wind.clone()), Refusal::Taken);
    assert_eq!(bench.read().organizations().unwrap(), [solar.clone(), wind.clone()]);
    bench.done(Write::DisableOrganization {
        org: org(),
        disabled: true,
    });
    let disabled = Organization { disabled: true, ..wind };
    assert_eq!(bench.read().organization(&org()).unwrap(), Some(disabled));
    bench.done(Write::DeleteOrganization { org: org() });
    assert_eq!(bench.read().organizations().unwrap(), [solar]);
    assert_eq!(bench.read().organization(&org()).unwrap(), None);
    bench.refused(Write::DeleteOrganization { org: org() }, Refusal::Missing);
    bench.refused(
        Write::DisableOrganization {
            org: org(),
            disabled: false,
        },
        Refusal::Missing,
    );
}

pub fn an_organization_in_use_is_not_deleted(bench: &mut Bench) {
    bench.done(Write::CreateOrganization(sample::organization(ORG)));
    let deletion = Write::DeleteOrganization { org: org() };

    bench.done(Write::CreateKey(sample::access_key(ORG, "k1")));
    bench.refused(deletion.clone(), Refusal::InUse);
    bench.done(Write::DeleteKey { key: "k1".into() });

    bench.done(Write::CreateModel(sample::model(ORG, MODEL)));
    bench.refused(deletion.clone(), Refusal::InUse);
    bench.done(Write::CreateProduct(sample::product(ORG, PRODUCT)));
    let devices = bench.devices(&["d1"]);
    let job = bench.create(device_job(&devices));
    bench.delete_device(devices[0]);
    bench.done(Write::DeleteProduct {
        org: org(),
        key: PRODUCT.into(),
    });
    bench.done(Write::DeleteModel {
        org: org(),
        id: MODEL.into(),
    });
    bench.refused(deletion.clone(), Refusal::InUse);
    bench.done(Write::DeleteJob { job, by: sample::by() });
    bench.done(deletion);
}

pub fn access_keys_come_back_with_their_secrets(bench: &mut Bench) {
    bench.done(Write::CreateOrganization(sample::organization(ORG)));
    let mut key = sample::access_key(ORG, "k1");
    key.secret = Secret("ключ with \u{0} and 'quotes'".to_owned());
    bench.refused(Write::CreateKey(sample::access_key(OTHER_ORG, "k2")), Refusal::Missing);
    for role in [Role::Admin, Role::Operator, Role::Reader] {
        key.role = role;
        bench.done(Write::CreateKey(key.clone()));
        bench.refused(Write::CreateKey(key.clone()), Refusal::Taken);
        assert_eq!(bench.read().access_key(&key.app_key).unwrap(), Some(key.clone()));
        bench.done(Write::DeleteKey {
            key: key.app_key.clone(),
        });
    }
    assert_eq!(bench.read().access_key(&key.app_key).unwrap(), None);
    bench.refused(
        Write::DeleteKey {
            key: key.app_key.clone(),
        },
        Refusal::Missing,
    );
    bench.refused(
        Write::DisableKey {
            key: key.app_key,
            disabled: true,
        },
        Refusal::Missing,
    );
}

pub fn access_keys_are_listed_by_organization(bench: &mut Bench) {
    for org in [ORG, OTHER_ORG] {
        bench.done(Write::CreateOrganization(sample::organization(org)));
    }
    for (org, key) in [(ORG, "b"), (OTHER_ORG, "c"), (ORG, "a")] {
        bench.done(Write::CreateKey(sample::access_key(org, key)));
    }
    let disabling = Write::DisableKey {
        key: "b".into(),
        disabled: true,
    };
    bench.done(disabling);
    let listed = |keys: Vec<aldis_store::rows::AccessKey>| -> Vec<(String, bool)> {
        keys.into_iter().map(|key| (key.app_key.0, key.disabled)).collect()
    };
    let owned = |keys: &[(&str, bool)]| -> Vec<(String, bool)> {
        keys.iter()
            .map(|(key, disabled)| ((*key).to_owned(), *disabled))
            .collect()
    };
    let of_org = listed(bench.read().access_keys(Some(&org())).unwrap());
    assert_eq!(of_org, owned(&[("a", false), ("b", true)]));
    let all = listed(bench.read().access_keys(None).unwrap());
    assert_eq!(all, owned(&[("a", false), ("b", true), ("c", false)]));
}

pub fn organization_has_no_more_models_than_it_may(bench: &mut Bench) {
    let numbered = |org: &str, number: usize| Write::CreateModel(sample::model(org, &format!("m{number}")));
    let all: Vec<Write> = (0..MODELS_PER_ORG_MAX).map(|number| numbered(ORG, number)).collect();
    let done = bench.commit(&all);
    assert!(done.iter().all(|done| *done == Done::Yes));
    bench.refused(numbered(ORG, MODELS_PER_ORG_MAX), Refusal::Full);
    bench.refused(numbered(ORG, 0), Refusal::Taken);
    bench.done(numbered(OTHER_ORG, 0));
    bench.done(Write::DeleteModel {
        org: org(),
        id: "m0".into(),
    });
    bench.done(numbered(ORG, MODELS_PER_ORG_MAX));
}

pub fn models_belong_to_one_organization(bench: &mut Bench) {
    let (wind, solar) = (sample::model(ORG, MODEL), sample::model(OTHER_ORG, MODEL));
    bench.done(Write::CreateModel(wind.clone()));
    bench.done(Write::CreateModel(solar.clone()));
    bench.refused(Write::CreateModel(wind.clone()), Refusal::Taken);
    let document = json!({"modelId": MODEL, "name": {"defaultValue": "changed"}, "n": [1, 2.5, null]});
    let update = |from: &Value| Write::UpdateModel {
        org: org(),
        id: MODEL.into(),
        from: from.clone(),
        document: document.clone(),
    };
    bench.refused(update(&json!({"modelId": MODEL})), Refusal::Changed);
    assert_eq!(bench.read().model(&org(), &MODEL.into()).unwrap(), Some(wind.clone()));
    bench.done(update(&wind.document));
    let changed = Model {
        document: document.clone(),
        updated: bench.now,
        ..wind.clone()
    };
    assert_eq!(bench.read().model(&org(), &MODEL.into()).unwrap(), Some(changed));
    assert_eq!(
        bench.read().model(&OTHER_ORG.into(), &MODEL.into()).unwrap(),
        Some(solar)
    );
    bench.refused(update(&wind.document), Refusal::Changed);
    bench.refused(
        Write::UpdateModel {
            org: org(),
            id: "unknown".into(),
            from: wind.document.clone(),
            document: document.clone(),
        },
        Refusal::Missing,
    );
}

pub fn a_model_in_use_is_not_deleted(bench: &mut Bench) {
    bench.found();
    let deletion = Write::DeleteModel {
        org: org(),
        id: MODEL.into(),
    };
    bench.refused(deletion.clone(), Refusal::InUse);
    bench.done(Write::DeleteProduct {
        org: org(),
        key: PRODUCT.into(),
    });
    bench.done(deletion.clone());
    bench.refused(deletion, Refusal::Missing);
    assert_eq!(bench.read().model(&org(), &MODEL.into()).unwrap(), None);
    assert!(bench.read().model(&OTHER_ORG.into(), &MODEL.into()).unwrap().is_some());
}

pub fn products_come_back_with_their_secrets(bench: &mut Bench) {
    bench.done(Write::CreateModel(sample::model(ORG, MODEL)));
    let mut product = sample::product(ORG, PRODUCT);
    product.name.i18n_value = texts(&[("zh_CN", "风机"), ("en_US", "")]);
    bench.done(Write::CreateProduct(product.clone()));
    let key = PRODUCT.into();
    assert_eq!(bench.read().product(&key).unwrap(), Some(product.clone()));
    bench.done(Write::DeleteProduct {
        org: org(),
        key: PRODUCT.into(),
    });
    (product.gateway, product.json) = (true, false);
    (product.dynamic_activation, product.certificates) = (false, true);
    product.gateway_registers = true;
    product.command_qos = Qos::AtMostOnce;
    (product.created_by, product.updated_by) = (None, Some("other".into()));
    product.tags = texts(&[]);
    product.secret = Secret("another".to_owned());
    bench.done(Write::CreateProduct(product.clone()));
    assert_eq!(bench.read().product(&key).unwrap(), Some(product));
}

pub fn product_changes_of_different_parts_both_last(bench: &mut Bench) {
    bench.found();
    let name = ProductChange {
        name: Some(I18nText::plain("changed")),
        ..ProductChange::default()
    };
    let desc = ProductChange {
        desc: Some(String::new()),
        ..ProductChange::default()
    };
    let tags = ProductChange {
        tags: Some(texts(&[("a", "b")])),
        ..ProductChange::default()
    };
    let activation = ProductChange {
        dynamic_activation: Some(false),
        ..ProductChange::default()
    };
    let certificates = ProductChange {
        certificates: Some(true),
        ..ProductChange::default()
    };
    let registers = ProductChange {
        gateway_registers: Some(true),
        ..ProductChange::default()
    };
    let qos = ProductChange {
        command_qos: Some(Qos::AtMostOnce),
        ..ProductChange::default()
    };
    let update = |change| update_product(ORG, PRODUCT, change);
    let none = ProductChange::default();
    let changes = [name, desc, tags, activation, certificates, registers, qos, none];
    let done = bench.commit(&changes.map(update));
    assert!(done.iter().all(|done| *done == Done::Yes), "{done:?}");
    let expected = aldis_store::rows::Product {
        name: I18nText::plain("changed"),
        desc: String::new(),
        tags: texts(&[("a", "b")]),
        dynamic_activation: false,
        certificates: true,
        gateway_registers: true,
        command_qos: Qos::AtMostOnce,
        updated: bench.now,
        updated_by: Some("changer".into()),
        ..sample::product(ORG, PRODUCT)
    };
    assert_eq!(bench.read().product(&PRODUCT.into()).unwrap(), Some(expected));
}

fn update_product(of: &str, key: &str, change: ProductChange) -> Write {
    Write::UpdateProduct {
        org: of.into(),
        key: key.into(),
        change,
        by: Some("changer".into()),
    }
}

pub fn a_replaced_secret_of_a_product_is_good_until_its_grace_ends(bench: &mut Bench) {
    bench.found();
    let rotate = |org: &str, former_until| Write::RotateProductSecret {
        org: org.into(),
        key: PRODUCT.into(),
        secret: "second".into(),
        former_until,
        by: Some("changer".into()),
    };
    bench.refused(rotate(OTHER_ORG, None), Refusal::Missing);
    let first = sample::product(ORG, PRODUCT).secret;
    let until = bench.now.plus_ms(60_000);
    bench.done(rotate(ORG, Some(until)));
    let product = bench.read().product(&PRODUCT.into()).unwrap().unwrap();
    let good = |now| -> Vec<Secret> { product.secrets_at(now).cloned().collect() };
    assert_eq!(good(until.plus_ms(-1)), ["second".into(), first]);
    assert_eq!(good(until), ["second".into()]);
    let expected = (bench.now, Some("changer".into()));
    assert_eq!((product.updated, product.updated_by), expected);
    bench.done(rotate(ORG, None));
    let product = bench.read().product(&PRODUCT.into()).unwrap().unwrap();
    assert_eq!(product.former_secret, None);
}

pub fn a_product_key_is_taken_over_the_whole_installation(bench: &mut Bench) {
    bench.found();
    bench.refused(
        Write::CreateProduct(sample::product(OTHER_ORG, PRODUCT)),
        Refusal::Taken,
    );
    let mut without_model = sample::product(ORG, "new");
    without_model.model = "unknown".into();
    bench.refused(Write::CreateProduct(without_model), Refusal::Missing);
    bench.done(Write::DeleteProduct {
        org: org(),
        key: PRODUCT.into(),
    });
    bench.done(Write::CreateProduct(sample::product(OTHER_ORG, PRODUCT)));
}

pub fn a_product_is_changed_by_its_own_organization_alone(bench: &mut Bench) {
    bench.found();
    bench.refused(
        update_product(ORG, OTHER_PRODUCT, ProductChange::default()),
        Refusal::Missing,
    );
    bench.refused(
        update_product(ORG, "unknown", ProductChange::default()),
        Refusal::Missing,
    );
    let deletion = Write::DeleteProduct {
        org: org(),
        key: OTHER_PRODUCT.into(),
    };
    bench.refused(deletion, Refusal::Missing);
    let found = bench.read().search_products(&OTHER_ORG.into(), None, ALL).unwrap();
    assert_eq!(found.rows, [sample::product(OTHER_ORG, OTHER_PRODUCT)]);
}

pub fn a_product_with_devices_is_not_deleted(bench: &mut Bench) {
    let devices = bench.with_devices(&["d1"]);
    let deletion = Write::DeleteProduct {
        org: org(),
        key: PRODUCT.into(),
    };
    bench.refused(deletion.clone(), Refusal::InUse);
    bench.done(delete(devices[0]));
    bench.done(deletion);
    assert_eq!(bench.read().product(&PRODUCT.into()).unwrap(), None);
}
