#!/usr/bin/python
# Copyright (c) 2026, kubeop maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An admission webhook has a certificate that the API server trusts, renewed before it ends."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: webhook_certificate
short_description: Issue and renew the serving certificate of an admission webhook
version_added: 0.1.0
author: kubeop maintainers (@kubeop)
description:
  - Puts a serving certificate into a Secret of the type C(kubernetes.io/tls), with the keys C(tls.crt), C(tls.key) and
    C(ca.crt), and the authority into C(caBundle) of the webhook configurations that are named.
  - A new certificate is issued only when there is none, less than O(renew_before_days) are left, the names are others,
    or another authority signed it. The configurations trust it before it is in the Secret, and trust the authority
    before it, too, for pods that still serve with the old certificate.
  - The platform's own webhook, C(kubeop-admission), needs no such task. The manager keeps up its certificate.
options:
  namespace:
    description: The namespace of the Secret, which has to be there.
    type: str
    required: true
  secret:
    description: The Secret's name.
    type: str
    required: true
  service:
    description:
      - The Service, in the same namespace, through which the API server calls the webhook.
      - The certificate is then for its names C(SERVICE.NAMESPACE.svc) and C(SERVICE.NAMESPACE.svc.cluster.local).
    type: str
  dns_names:
    description: More names that the certificate is for.
    type: list
    elements: str
    default: []
  ip_addresses:
    description: Addresses that the certificate is for.
    type: list
    elements: str
    default: []
  validating:
    description: The ValidatingWebhookConfigurations that trust the authority, in all their webhooks.
    type: list
    elements: str
    default: []
  mutating:
    description: The MutatingWebhookConfigurations that trust the authority, in all their webhooks.
    type: list
    elements: str
    default: []
  days:
    description: How long a new certificate is valid, in days, unless its authority ends before.
    type: int
    default: 365
  renew_before_days:
    description: A certificate is renewed when it has less than so many days left.
    type: int
    default: 30
  ca_certificate:
    description:
      - The certificate of the authority that signs, in PEM.
      - Without it, an authority is made for each certificate, and its key is thrown away.
    type: str
  ca_private_key:
    description: The authority's private key, ECDSA P-256 in PEM; needed with O(ca_certificate).
    type: str
  force:
    description: Take over fields that another field manager owns, instead of failing with its name.
    type: bool
    default: false
notes:
  - Leave C(caBundle) out where the configuration is applied, or the two owners of the field conflict.
  - A pod sees a new certificate in a mounted Secret within about a minute; the server has to read it again by itself.
extends_documentation_fragment:
  - kubeop.platform.attributes
  - kubeop.platform.attributes.kubernetes
  - kubeop.platform.cluster
attributes:
  check_mode:
    support: full
    details:
      - The API server answers what would happen (a server-side dry run).
  diff_mode:
    support: full
    details:
      - The Secret's values are masked, and of a bundle the number of its certificates is shown.
  idempotent:
    support: full
seealso:
  - module: kubeop.platform.apply
"""

EXAMPLES = r"""
---
- name: The webhook's certificate is good for a month at least, and the API server trusts it
  kubeop.platform.webhook_certificate:
    kubeconfig: /etc/kubeop/eu-1.kubeconfig
    namespace: team-a
    secret: policy-webhook-tls
    service: policy-webhook
    validating: [policy-webhook]

- name: The same, signed by an authority of one's own
  kubeop.platform.webhook_certificate:
    kubeconfig: /etc/kubeop/eu-1.kubeconfig
    namespace: team-a
    secret: policy-webhook-tls
    service: policy-webhook
    validating: [policy-webhook]
    days: 90
    ca_certificate: "{{ webhook_ca_certificate }}"
    ca_private_key: "{{ webhook_ca_private_key }}"
"""

RETURN = r"""
---
renewed:
  description: Why a certificate was issued (or would be, in check mode); empty while the present one is good.
  returned: success
  type: str
  sample: there is none
expires_at:
  description: When the certificate ends.
  returned: success, except in check mode when a certificate would be issued
  type: str
  sample: "2027-11-21T07:30:00Z"
ca_bundle:
  description: The authorities in base64, as C(caBundle) takes them, for instance of a conversion webhook.
  returned: success, except in check mode when a certificate would be issued
  type: str
  sample: LS0tLS1CRUdJTi...
changes:
  description: What was created, updated or deleted, or would be in check mode. What already is as wanted is left out.
  returned: success
  type: list
  elements: dict
  contains:
    action:
      description: V(create), V(update) or V(delete).
      type: str
      returned: always
    api_version:
      description: The object's API version.
      type: str
      returned: always
    kind:
      description: The object's kind.
      type: str
      returned: always
    namespace:
      description: The object's namespace; empty for an object of the whole cluster.
      type: str
      returned: always
    name:
      description: The object's name.
      type: str
      returned: always
  sample:
    - action: update
      api_version: networking.k8s.io/v1
      kind: NetworkPolicy
      namespace: team-a
      name: kubeop-egress
counts:
  description: How many objects there were for each action.
  returned: success
  type: dict
  contains:
    create:
      description: Objects that were not there.
      type: int
      returned: always
    update:
      description: Objects that differed.
      type: int
      returned: always
    unchanged:
      description: Objects that were already as wanted.
      type: int
      returned: always
    delete:
      description: Objects that were removed.
      type: int
      returned: always
  sample:
    create: 0
    update: 1
    unchanged: 9
    delete: 0
"""

from ansible_collections.kubeop.platform.plugins.module_utils import edge


def call(module):
    """One certificate."""
    from kubeop import names
    from kubeop.manager import serving

    params = module.params
    with edge.cluster_client(module) as client:
        done = serving.ensure(
            client,
            serving.Serving.of_service(
                params["namespace"],
                params["secret"],
                service=params["service"] or "",
                dns_names=params["dns_names"],
                ip_addresses=params["ip_addresses"],
                days=params["days"],
                renew_before_days=params["renew_before_days"],
                ca_certificate=params["ca_certificate"],
                ca_private_key=params["ca_private_key"],
            ),
            {serving.VALIDATING: params["validating"], serving.MUTATING: params["mutating"]},
            field_manager=names.FIELD_MANAGER_ANSIBLE,
            force=params["force"],
            dry_run=module.check_mode,
        )
    result = {**edge.changed_result(module, done.applied), "renewed": done.choice.reason}
    if not (module.check_mode and done.choice.reason):
        result |= {"expires_at": done.choice.expires_at, "ca_bundle": done.choice.ca_bundle}
    return result


def main():
    edge.run(
        call,
        {
            **edge.cluster_options(),
            "namespace": {"type": "str", "required": True},
            "secret": {"type": "str", "required": True, "no_log": False},
            "service": {"type": "str"},
            "dns_names": {"type": "list", "elements": "str", "default": []},
            "ip_addresses": {"type": "list", "elements": "str", "default": []},
            "validating": {"type": "list", "elements": "str", "default": []},
            "mutating": {"type": "list", "elements": "str", "default": []},
            "days": {"type": "int", "default": 365},
            "renew_before_days": {"type": "int", "default": 30},
            "ca_certificate": {"type": "str"},
            "ca_private_key": {"type": "str", "no_log": True},
            "force": {"type": "bool", "default": False},
        },
        required_together=[("ca_certificate", "ca_private_key")],
        required_one_of=[("service", "dns_names", "ip_addresses")],
    )


if __name__ == "__main__":
    main()
