# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Risks and who accepts them: the options of module_utils/_findings.py."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  risk_policy:
    description:
      - What to do about a risk that is not named in O(allow_risks).
      - With V(default) some risks fail the task, or the item of a list, before anything is written and the others are
        warnings, see O(allow_risks).
      - With V(warn) all are warnings, with V(deny) all fail the task, with V(ignore) none is looked at.
    type: str
    choices:
      - default
      - warn
      - deny
      - ignore
    default: default
  allow_risks:
    description:
      - The risks that are accepted without a word. By default the first six fail the task and all others are
        warnings. What counts as one, and what to do instead, is in C(docs/risks.md) of the collection.
      - V(cluster_admin) means that M(tokenwright.kubernetes.k8s_sa_binding) grants everything (C(*) of C(*.*)). Who
        accepts it need not accept V(wildcard) for the same role.
      - V(wildcard) means that a granted rule has a star for its verbs, API groups or resources. It stands for all that
        only the star covers, except V(escalate), V(bind) and V(impersonate), which have to be accepted by name.
      - V(escalate) means that the verb C(escalate) is granted, with which a role can be given any rules.
      - V(bind) means that the verb C(bind) is granted, with which any role, or those named, can be granted to anybody.
      - V(impersonate) means that the verb C(impersonate) is granted, with which one can act as somebody else.
      - V(long_lifetime) means that M(tokenwright.kubernetes.k8s_sa_token) is asked for a token of over 30 days.
      - V(csr_approve) means that certificates may be both requested and approved, for any user.
      - V(anonymous_bound) means that a grant is for everybody who is logged in, or for everybody.
      - V(masters_bound) means that a grant is for the group C(system:masters), whose members may do everything anyway.
      - V(all_accounts_bound) means that a grant is for all service accounts, of the cluster or of a namespace.
      - V(secrets_read) means that Secrets may be read that are not named in the rule.
      - V(secrets_write) means that Secrets may be written that are not named in the rule.
      - V(token_create) means that tokens of service accounts may be requested.
      - V(workload_create) means that what starts containers may be created or changed, such as Pods or Deployments.
      - V(pod_exec) means that commands may be run in Pods.
      - V(persistent_volume_create) means that PersistentVolumes may be created, which can be directories of a node.
      - V(nodes_proxy) means that the API of the kubelets may be used.
      - V(webhook_write) means that admission webhooks may be changed.
      - V(rbac_write) means that roles or bindings may be written.
      - V(namespace_patch) means that namespaces may be changed, whose labels decide on the security of their Pods.
      - V(cluster_wide_without_need) means that a service account gets nothing but what is in namespaces, but in all of
        them.
      - V(long_lived_token) means that M(tokenwright.kubernetes.k8s_legacy_token) is asked for a token that is not
        rotated within 30 days.
      - V(unreadable_token_file) means that M(tokenwright.kubernetes.k8s_sa_volume) is asked for a token, or a
        file beside it, that its containers cannot read.
      - V(path_collision) means that files of a projected volume are in each other's way.
      - V(subpath_token) means that a container mounts only a part of a volume with a token, which is then never
        renewed.
      - V(token_lifetime) means that a token in a Pod is asked for over a day, or for the one number of seconds that
        makes it good for a year.
      - V(token_audience) means that a token in a Pod is for an audience that is a guess, or that clients do not expect.
      - V(readable_token_file) means that every user in the containers can read a token.
      - V(hidden_mount) means that a mount hides something.
      - V(insecure_transport) means that the connection is not encrypted or the API server's certificate not checked.
      - V(readable_by_others) means that a module is asked to write a token into a file
        that every user of the host may read or write.
    type: list
    elements: str
"""
