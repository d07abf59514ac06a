-- Knot Resolver 5 asks dnsbld about the lists, and the rest of the DNS about everything else. Several servers
-- replace each other. Add it to kresd.conf, before other policies that match these zones:
--
--   cat deploy/knot-resolver.lua >> /etc/knot-resolver/kresd.conf
--   systemctl restart 'kresd@*.service'

modules.load('policy')
local dnsbld = {
    'l2.apews.org',
    'l1.apews.org',
    'white.example',
    'zen.example',
}
-- Local copies of lists are not signed.
trust_anchors.set_insecure(dnsbld)
dnsbld = policy.todnames(dnsbld)
-- With the module rebinding: lists answer with addresses of 127.0.0.0/8, which it refuses otherwise.
policy.add(policy.suffix(policy.FLAGS({'ALLOW_LOCAL'}), dnsbld))
policy.add(policy.suffix(policy.STUB({'127.0.0.1@5300', '::1@5300'}), dnsbld))
