/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Parsers of the guest's text files, in the order of the seeds' first byte. Those whose names start with fuzz_ are the fuzz
 * target's.
 */
#ifndef VTR_FUZZ_PARSERS_H
#define VTR_FUZZ_PARSERS_H

/* clang-format off */
#define TEXT_PARSERS(X) \
	X(fuzz_passwd) X(fuzz_kernel) X(fuzz_yaml) X(fuzz_settings) X(vtr_group_parse) X(vtr_sudoers_parse) \
	X(vtr_crontab_parse) X(vtr_crontab_user_parse) X(vtr_anacrontab_parse) X(vtr_ifupdown_parse) \
	X(vtr_netplan_parse) X(vtr_keyfile_parse) X(vtr_networkd_parse) X(vtr_ifcfg_parse) \
	X(vtr_resolv_parse) X(vtr_grub_parse) X(vtr_loader_conf_parse) X(vtr_datasource_parse) \
	X(vtr_cloud_cfg_parse) X(vtr_ssh_key_parse) X(vtr_sshd_config_parse) X(vtr_docker_repositories_parse) \
	X(vtr_storage_images_parse) X(vtr_sources_list_parse) X(vtr_deb822_sources_parse) \
	X(vtr_yum_repo_parse) X(vtr_apk_repositories_parse) X(vtr_pacman_conf_parse) X(vtr_wtmp_parse) \
	X(vtr_journal_parse) X(vtr_opkg_conf_parse) X(fuzz_glob) X(vtr_unit_parse) X(vtr_crypttab_parse) \
	X(fuzz_nsswitch) X(fuzz_userdb) X(vtr_sysctl_parse) X(vtr_modules_load_parse) X(vtr_modprobe_parse) \
	X(vtr_environment_parse) X(vtr_environment_d_parse) X(vtr_nmconf_parse) X(fuzz_netdev) X(fuzz_link) \
	X(vtr_boot_entry_parse) X(vtr_ostree_entry_parse) X(vtr_ostree_origin_parse) X(vtr_modeenv_parse) \
	X(vtr_model_parse) X(vtr_properties_parse)
/* clang-format on */

#endif
