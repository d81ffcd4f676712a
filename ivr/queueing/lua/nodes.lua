-- The leases of the nodes, and nodes that are gone: for so long after its lease nobody holds a node,
-- and its agents are away until its next worker tells of them. Its calls wait for that worker too,
-- but not the agents of other nodes who talk in them: whose phone is free is free.
local NODE_GONE = 30000

local function lease_of(node)
  local raw = redis.call('HGET', SITE, 'lease:' .. node)
  return raw and cjson.decode(raw) or { worker = '', free_at = 0, term = 0 }
end

local function keep_lease(node, l, free_at)
  l.free_at, l.gone_at = free_at, math.max(free_at, now) + NODE_GONE
  redis.call('HSET', SITE, 'lease:' .. node, cjson.encode(l))
  schedule('node:' .. node, l.gone_at)
end

local function is_gone(node)
  local at = lease_of(node).gone_at
  return at ~= nil and at <= now
end

-- A talk in a call of a node that is gone, and the agent's phone is at another one and free.
local function free_of_gone(a)
  local c = a.answered and not a.busy and call_of(a.call)
  if c and c.node ~= a.node and is_gone(c.node) then
    hang_up(c)
  end
end
