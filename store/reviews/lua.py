"""The steps of a review that must happen whole or not at all, as scripts that run inside Redis.

Beside a job's hash: ``:review-known`` every conflict by its id, as its word; ``:review-queue`` and ``:review-skipped``
the words that wait, in order; ``:review-decided`` who decided and when, by id; ``:review-done`` the ids by that time;
``:review-claims`` who holds an id, under which token, until when. Times are milliseconds of Redis' own clock.
"""

from __future__ import annotations

from medner.store.jobs.keys import REVIEW_PARTS

#: KEYS[1] is the job's hash. What is kept lives as long as the job.
_BASE = f"""
local base = KEYS[1]
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local known, queue, skipped = base .. ':review-known', base .. ':review-queue', base .. ':review-skipped'
local decided, done, claims = base .. ':review-decided', base .. ':review-done', base .. ':review-claims'
local function live()
  local ttl = redis.call('PTTL', base)
  if ttl < 0 then return end
  for _, part in ipairs({{{", ".join(f"'{part}'" for part in REVIEW_PARTS)}}}) do
    redis.call('PEXPIRE', base .. ':' .. part, ttl)
  end
end
local function parts_of(word)
  local found = {{}}
  for piece in (word .. '\\0'):gmatch('([^%z]*)%z') do table.insert(found, piece) end
  return found
end
local function id_of(word)
  local pieces = parts_of(word)
  return pieces[2] .. '\\0' .. pieces[3]
end
local function claim_of(id)
  local raw = redis.call('HGET', claims, id)
  return raw and cjson.decode(raw)
end
local function holds(id, token)
  if redis.call('HEXISTS', decided, id) == 1 then return nil end
  local claim = claim_of(id)
  return claim and claim.t == token and claim or nil
end
local function settle(id, by, at)
  local word = redis.call('HGET', known, id)
  if not word then return 0 end
  redis.call('ZREM', queue, word)
  redis.call('ZREM', skipped, word)
  redis.call('HSET', decided, id, cjson.encode({{by = by, at = at}}))
  redis.call('ZADD', done, at, id)
  redis.call('HDEL', claims, id)
  live()
  return 1
end
"""

# ARGV: how many sentences there are, then word, who decided it ("" for nobody), when (ms) of each.
_ADD = """
if redis.call('EXISTS', base) == 0 then return 0 end
redis.call('HSET', known, '', ARGV[1])
for at = 2, #ARGV, 3 do
  local word, by, when = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2])
  local id = id_of(word)
  if redis.call('HSETNX', known, id, word) == 1 then
    if by ~= '' then settle(id, by, when) else redis.call('ZADD', queue, 0, word) end
  end
end
live()
return 1
"""

# ARGV: token, who, lease (ms), 1 for those that were skipped, a type ("" for any), kinds. Gives the word and the end of
# the claim; nothing where none is free.
_CLAIM = """
local list = ARGV[4] == '1' and skipped or queue
local begin = 0
while true do
  local words = redis.call('ZRANGE', list, begin, begin + 99)
  if #words == 0 then return {} end
  for _, word in ipairs(words) do
    local pieces = parts_of(word)
    local fits = #ARGV < 6
    for at = 6, #ARGV do fits = fits or pieces[4] == ARGV[at] end
    if ARGV[5] ~= '' then
      local has = (',' .. pieces[5] .. ','):find(',' .. ARGV[5] .. ',', 1, true)
      fits = fits and has ~= nil
    end
    if fits then
      local id = pieces[2] .. '\\0' .. pieces[3]
      local claim = claim_of(id)
      if not claim or claim.u <= now then
        local ends = now + tonumber(ARGV[3])
        redis.call('HSET', claims, id, cjson.encode({t = ARGV[1], b = ARGV[2], u = ends}))
        live()
        return {word, ends}
      end
    end
  end
  begin = begin + #words
end
"""

# ARGV: id, token, lease (ms). The new end of the claim, 0 where it is another's now or the conflict is decided.
_KEEP = """
local claim = holds(ARGV[1], ARGV[2])
if not claim then return 0 end
claim.u = math.max(claim.u, now + tonumber(ARGV[3]))
redis.call('HSET', claims, ARGV[1], cjson.encode(claim))
return claim.u
"""

# ARGV: id, token, who. The time of the decision, 0 where the claim is lost.
_DECIDE = """
if not holds(ARGV[1], ARGV[2]) then return 0 end
return settle(ARGV[1], ARGV[3], now) == 1 and now or 0
"""

# ARGV: id, token. 1 where the conflict goes to those that were skipped.
_SKIP = """
if not holds(ARGV[1], ARGV[2]) then return 0 end
local word = redis.call('HGET', known, ARGV[1])
redis.call('ZREM', queue, word)
redis.call('ZADD', skipped, 0, word)
redis.call('HDEL', claims, ARGV[1])
live()
return 1
"""

# ARGV: id, token. 1 where it was held.
_RELEASE = """
if not holds(ARGV[1], ARGV[2]) then return 0 end
return redis.call('HDEL', claims, ARGV[1])
"""

# ARGV: id, who. A decision that came another way; 1 where the conflict is one of the review.
_NOTE = "return settle(ARGV[1], ARGV[2], now)"

# ARGV: id. A decision that was taken back.
_REOPEN = """
local word = redis.call('HGET', known, ARGV[1])
if not word or redis.call('HDEL', decided, ARGV[1]) == 0 then return 0 end
redis.call('ZREM', done, ARGV[1])
redis.call('ZADD', queue, 0, word)
live()
return 1
"""

# ARGV: who. The id of the newest decision of a person.
_NEWEST = """
local begin = 0
while true do
  local ids = redis.call('ZREVRANGE', done, begin, begin + 99)
  if #ids == 0 then return false end
  for _, id in ipairs(ids) do
    local raw = redis.call('HGET', decided, id)
    if raw and cjson.decode(raw).by == ARGV[1] then return id end
  end
  begin = begin + #ids
end
"""

# ARGV: since when (ms) decisions count for the speed. What waits, what was skipped, the words of what is decided, how
# many are held, the times of the newest decisions, and now.
_STATE = """
local words = {}
local ids = redis.call('HKEYS', decided)
for at = 1, #ids do words[at] = redis.call('HGET', known, ids[at]) end
local held = 0
for _, raw in ipairs(redis.call('HVALS', claims)) do
  if cjson.decode(raw).u > now then held = held + 1 end
end
local newest, times = redis.call('ZRANGEBYSCORE', done, now - tonumber(ARGV[1]), '+inf', 'WITHSCORES'), {}
for at = 2, #newest, 2 do table.insert(times, newest[at]) end
return {redis.call('ZRANGE', queue, 0, -1), redis.call('ZRANGE', skipped, 0, -1), words, held, times, tostring(now)}
"""

SCRIPTS = {
    name: _BASE + text
    for name, text in {
        "add": _ADD,
        "claim": _CLAIM,
        "keep": _KEEP,
        "decide": _DECIDE,
        "skip": _SKIP,
        "release": _RELEASE,
        "note": _NOTE,
        "reopen": _REOPEN,
        "newest": _NEWEST,
        "state": _STATE,
    }.items()
}
