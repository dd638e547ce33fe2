import type { KnownFile } from '../../kit/migrations/index.ts';

const file = (name: string, ...checksums: string[]): KnownFile => ({ name, checksums });

/** Not in every database: of a later commit, renamed, or withdrawn. */
const optional = (name: string, ...checksums: string[]): KnownFile => ({ name, checksums, isOptional: true });

/**
 * The original's files in the order in which it runs them, that of the bytes of their names, with every text that was ever
 * published under a name. 43 of them make a complete database.
 */
export const knownFiles: readonly KnownFile[] = [
  file(
    '001_init.sql',
    '9ba0369779484625edcea7a7d1d4582397e31546db9149b05004990a3f16c630',
    '6e34369be2306622d6b4056eeaa5cb6edd8f2c850fa4aa54905c4661aae6521a',
  ),
  file('002_account_type_migration.sql', 'aad3816e44f58ff007ea4df8092aae580f3f85180314c1deb1b1054b20892bbf'),
  file('003_subscription.sql', '4642fcb1ccd7954b1d3eef8f795cfba2ce21431257346cc5a7568cde61a60b13'),
  file('004_add_redeem_code_notes.sql', 'fb171d084795906ce8e388eec34133dfa256e1ecb1621083f12aa47c6368bfd8'),
  file('005_schema_parity.sql', '2ae9e9ff98adb2a684aeb4d839be7ee00e7a26af167460f886133ac55361b5bf'),
  file(
    '006_fix_invalid_subscription_expires_at.sql',
    'ed5d6553a86578d987088331bc8810808b75e554a160b66ff4626815ea838354',
  ),
  file('007_add_user_allowed_groups.sql', '76694d87e70be4fa9d9f27cd308717685a426d9a64ded36a5a9517956ebec972'),
  file(
    '008_seed_default_group.sql',
    'f4bd452fb097a509120399b6121abb17d1a212330185b40f1e5ec69c6e16954a',
    '7a287d560d5fbc9f733380fde8f180856dcdb750d6207006abfcfc6961731b3f',
  ),
  file(
    '009_fix_usage_logs_cache_columns.sql',
    '9a3c22b296ea5a628eb8b35b34318f035b9ac177dfc7d1db26b0901dcd98bafb',
  ),
  file(
    '010_add_usage_logs_aggregated_indexes.sql',
    '3537ff30a25b71c93458f77e08ce5b60355e0a3068bfd49e2d9bdb6e6deee027',
  ),
  file(
    '011_remove_duplicate_unique_indexes.sql',
    'ae4c6f5bab86f399ad812b7ffc927402c0a8decef85bf7c3d7a8877863ba520e',
  ),
  file(
    '012_add_user_subscription_soft_delete.sql',
    '5c829927c7f882fbe0258239c3673f865b03dfc3ee274674d7a2cedb06deaf24',
  ),
  file(
    '013_log_orphan_allowed_groups.sql',
    '4f2d8e9078f02de763977963f711ed2e82587b9ac72947c1b8019594b49d6dd8',
  ),
  file(
    '014_drop_legacy_allowed_groups.sql',
    'b63fc37ba6a6ffdcb50e082250be5f34f40632597d568bb97247c607198befcc',
  ),
  file(
    '015_fix_settings_unique_constraint.sql',
    'b6f7f2244cb66fa5a5b088a1f40d2694b95e23fce971bc2562bcbe306efe48d3',
  ),
  file(
    '016_soft_delete_partial_unique_indexes.sql',
    '213c9358247ca0072d9c6a441eb7e1df9513e7e8040e6ca4f0d616c319f588ba',
  ),
  optional(
    '017_add_gemini_tier_id.sql',
    'f05d07557ab8a33379ab3b374cde6bb7f0df363824914de59a613a875f1ca097',
    'e937cc527c311c6470292b2955fd2caaa9047d32c7b0055f7fc5a63f024513a7',
  ),
  optional(
    '017_ops_metrics_and_error_logs.sql',
    '8bd0de03e8c019dec3710284af0ae48bf0961247c8187f1a43568d849bc1e32a',
  ),
  optional(
    '018_ops_metrics_system_stats.sql',
    'd861793ada9b787b70336d556c44a5b1efd8d4445ba7359924c65ce71150ac83',
  ),
  file('018_user_attributes.sql', 'af99c63b62dcd029b52b2693281e0dea4dfc751dadefd4cbbc894359f2cc8014'),
  file(
    '019_migrate_wechat_to_attributes.sql',
    'd45e05b4bb722b287377790583c2677b8666dbf7e02b626c93468491d4ce8cf8',
  ),
  optional('019_ops_alerts.sql', 'a30b1413af8d1ddeaa301be7d180571617f7b8cb9c59be838b6993027246854f'),
  file('020_add_temp_unschedulable.sql', '0ffee69180cdb20aba0116dc2c20da781bbe9bd2418d41f30880bbf12f51efbe'),
  optional(
    '020_seed_ops_alert_rules.sql',
    '774da09e2cd26ab0a18eff56e9dd8bb5594f0ff14ae58f879ba4cb7d9c936e25',
  ),
  optional(
    '021_seed_ops_alert_rules_more.sql',
    'dbe62da9977a7e719b1b1600615c77026958b60a305b04c90b0cbb380f586c47',
  ),
  optional(
    '022_enable_ops_alert_webhook.sql',
    'e7ad8a2f3502b01fbe916a35e29a3ec6116aa3ef4f1caad44cf19fa950ec215f',
  ),
  optional(
    '023_ops_metrics_request_counts.sql',
    '677dad2bb4674c97f98442afdbd9680969f31d1656c2a15be7cacc2a60220b4c',
  ),
  file('024_add_gemini_tier_id.sql', 'b54de1b9a4423224f7aef5e644d1af115214d58dd61befd3c25db3e709b9163a'),
  optional(
    '025_enhance_ops_monitoring.sql',
    'de7e39feb8057e316a70e23a98515d80722ff4acf18a67f06aa6d661e5624c1f',
    '3e9f25a18bd6744f6bab9be14d5b2d6f7c15049ea7efbd8d6bf3f56e33c30b49',
  ),
  file(
    '026_ops_metrics_aggregation_tables.sql',
    'cff5e8fe80d8f8fd94cf6d9f2b01065f9b3ebdff8a99f941b927d530a418ba62',
  ),
  file(
    '027_usage_billing_consistency.sql',
    '68df49831cadfb2c5d1f8e24b8b36068be454cca9fdf6df1141593ee20c98dd8',
  ),
  file('028_add_account_notes.sql', '8d52c15e184ffe112185eeaea5bad35afe3761dfb7cc9e9b1644445134420300'),
  file(
    '028_add_usage_logs_user_agent.sql',
    '024d6dd42321b3c0f35cf8e15766e1dda993c08c1d69878e8888d6cb4bccde2d',
  ),
  file('028_group_image_pricing.sql', 'e1276ed19c083a32eb62272abc9a9640e3aca1dc0cee8fc661de873959421d80'),
  file(
    '029_add_group_claude_code_restriction.sql',
    'f0c5bb461d29a64410ed05a3f2dd478cf42deddbf1013e23f9468c573455f1be',
  ),
  file('029_usage_log_image_fields.sql', 'ce14c36d169e6d6d070069d11f35a8622298436c204a54a0ae580f0e63396a4f'),
  file('030_add_account_expires_at.sql', 'd6ea81863b7d7031426009ed081ce76b14325664aa1782dd496a527ca0dab85b'),
  optional(
    '030_ops_monitoring_vnext.sql',
    '2db12e47bf8b0c4c983851cb3086361e4dc093e6864afa8a3db2bddabd8b0a60',
    'accf363544d187aecad4f1c68fe34118f86d1a931465e66490c530d3f3f1106d',
  ),
  file('031_add_ip_address.sql', 'c9ce8db0e582b1a844e8529bb0cf3bd6ccf5bf6fa0949bb4955a963801a97da0'),
  file(
    '032_add_api_key_ip_restriction.sql',
    'e0f084b7533d53faee48f122a04ef3988625e61c6356448a07085236d8c96122',
  ),
  file('033_add_promo_codes.sql', '913c0f2a90943c51aa0134cf7f4339dfdafad8b5e14738159a1841f14b4f8ff9'),
  file('033_ops_monitoring_vnext.sql', 'accf363544d187aecad4f1c68fe34118f86d1a931465e66490c530d3f3f1106d'),
  file(
    '034_ops_upstream_error_events.sql',
    '1b2e69d10195f0264b034873e0a9d96bb946072886aad9f63307c08808689a56',
  ),
  file(
    '034_usage_dashboard_aggregation_tables.sql',
    '20bf67f62858c3c292c66ea667e9ac7d5c7b645077e6413a03700be1b480d962',
  ),
  file(
    '035_usage_logs_partitioning.sql',
    '91a02804ee4292e1dc33cda28335725b1011236bb19f577d2c8e6b4bcbffd3ba',
    '473d7fee61fc63918e7d1e13e177414bb8d6c1c278ef7504c2a2f3a36bde09d8',
  ),
  file(
    '036_ops_error_logs_add_is_count_tokens.sql',
    'ed9ee240c43ef259f18a7ca440d73f285988d2aa57af229e0b69344f11af3bf4',
  ),
  file('036_scheduler_outbox.sql', 'e88635e14a2b9f04041495890c3d98125bae119ecf3936c070d82e017ee2a4c0'),
  file(
    '037_add_account_rate_multiplier.sql',
    'e8a2bea65eac919a323738098402bb6ea53720cbe1111a6cec823d2d36ebfd20',
  ),
  file('037_ops_alert_silences.sql', '72143a1ce3528ebc47472759c59011ec6993b25a3f22d50485538710047438c6'),
  file(
    '038_ops_errors_resolution_retry_results_and_standardize_classification.sql',
    '4cc121d97c7f59e9def9397b7d0314d4dfbfe4cd831698359456dd49bf995ece',
  ),
  file(
    '039_ops_job_heartbeats_add_last_result.sql',
    '5dad52cd5a61ad98029ba2de4ea3903cbc9c40a43731dd8a3f8a8129277ec47b',
  ),
  file('040_add_group_model_routing.sql', 'fb8727cfea19997101646457a3c31c3efc647e3cb2b8a0e04d06a24c3a608862'),
  file(
    '041_add_model_routing_enabled.sql',
    '5cee91bdfc5afe4815dba6b127755a76d33ab55a93419c5b51e57d8dfd9cba3a',
  ),
  optional('044_add_sora_tables.sql', '229589944a6c7d46671c659a44951d37716b4aec3903bb623e10d4c793211913'),
];
