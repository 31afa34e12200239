"""The indexes of all jobs: by time, by state, by id and name. With them no list and no number reads every job."""

from __future__ import annotations

from medner.store.jobs.keys import ACTIVE_JOBS, INDEX, LEFT, NAME_OF, NAMES, STATE_INDEX, job_key
from medner.store.jobs.lua.prelude import BOOKS
from medner.store.jobs.states import TERMINAL, JobState

#: So many jobs that have expired leave the indexes in one step.
_AT_ONCE = 500

#: In '{NAMES}' an entry begins with i for an id, with n for a name, which its id follows.
NAMED = f"""
local function name_job(id, name)
  redis.call('ZADD', '{NAMES}', 0, 'i' .. id)
  if name and name ~= '' then
    redis.call('ZADD', '{NAMES}', 0, 'n' .. name .. '\\0' .. id)
    redis.call('HSET', '{NAME_OF}', id, name)
  end
end
local function unname_job(id)
  local name = redis.call('HGET', '{NAME_OF}', id)
  redis.call('ZREM', '{NAMES}', 'i' .. id)
  if name then
    redis.call('ZREM', '{NAMES}', 'n' .. name .. '\\0' .. id)
    redis.call('HDEL', '{NAME_OF}', id)
  end
end
"""

_DROP = f"""
local STATES = {{{", ".join(f"'{state.value}'" for state in JobState)}}}

local function left_of(facts)
  return tonumber(facts[2] or '0') - tonumber(facts[3] or '0') - tonumber(facts[4] or '0')
end
local function facts_of(id)
  return redis.call('HMGET', '{job_key("")}' .. id, 'state', 'sentences', 'done', 'dead', 'name')
end
local function drop(id)
  local facts = facts_of(id)
  if facts[1] and ACTIVE[facts[1]] then redis.call('DECRBY', '{LEFT}', left_of(facts)) end
  redis.call('ZREM', '{INDEX}', id)
  redis.call('SREM', '{ACTIVE_JOBS}', id)
  for _, state in ipairs(STATES) do redis.call('ZREM', '{STATE_INDEX}' .. state, id) end
  unname_job(id)
end
"""

# Makes the indexes from the jobs themselves: they are missing in a Redis of version 0.1.0.
_REBUILD = f"""
local function rebuild()
  redis.call('DEL', '{NAMES}', '{NAME_OF}', '{LEFT}')
  for _, state in ipairs(STATES) do redis.call('DEL', '{STATE_INDEX}' .. state) end
  for _, id in ipairs(redis.call('ZRANGE', '{INDEX}', 0, -1)) do
    local facts = facts_of(id)
    if facts[1] then
      local ttl = redis.call('PTTL', '{job_key("")}' .. id)
      redis.call('ZADD', '{STATE_INDEX}' .. facts[1], ttl >= 0 and now + ttl or 'inf', id)
      name_job(id, facts[5])
      if ACTIVE[facts[1]] then redis.call('INCRBY', '{LEFT}', left_of(facts)) end
    else
      redis.call('ZREM', '{INDEX}', id)
    end
  end
end
"""

# Lets jobs that have expired leave the indexes, some at a time, and makes indexes that are not whole again. Gives how
# many jobs there are, and 1 where more have expired.
_REFRESH = f"""
local more, known = 0, 0
for _, state in ipairs({{{", ".join(f"'{state.value}'" for state in sorted(TERMINAL))}}}) do
  local gone = redis.call('ZRANGEBYSCORE', '{STATE_INDEX}' .. state, '-inf', now, 'LIMIT', 0, {_AT_ONCE})
  if #gone == {_AT_ONCE} then more = 1 end
  for _, id in ipairs(gone) do drop(id) end
end
for _, state in ipairs(STATES) do known = known + redis.call('ZCARD', '{STATE_INDEX}' .. state) end
if known ~= redis.call('ZCARD', '{INDEX}') then rebuild() end
return {{redis.call('ZCARD', '{INDEX}'), more}}
"""

# ARGV: jobs. Takes them out of the indexes.
_REMOVE = "for _, id in ipairs(ARGV) do drop(id) end"

_INDEXES = BOOKS + NAMED + _DROP

SCRIPTS = {
    "refresh": _INDEXES + _REBUILD + _REFRESH,
    "reindex": _INDEXES + _REBUILD + "rebuild()",
    "unregister": _INDEXES + _REMOVE,
}
