-- Applies operations to records, in order. A translation of `Table::submit` and `transition`, which say why.
--
-- ARGV   7 latest version that the sender knows, then for each operation: its word, the name of the circuit, the
--        number of its arguments, and these. Further arguments of later clients are ignored.
-- Reply  head, time, number of instances, 1 if the changes could not be published, then one answer per operation

local refused = refusal()
if refused then return { err = refused } end
local fault = fault_of_keys()
if not fault then
  -- Fails on a full store, whose operations then report it.
  redis.pcall('ZADD', MEMBERS, text(now), MEMBER)
end
local members = fault and 0 or nodes()
local head = fault and 0 or head_version()
local previous, seen = head, version_of(ARGV[7])

local function live_votes(record)
  local live, voters = {}, { [NODE] = true }
  for _, vote in ipairs(record.votes) do
    if is_live(vote) and vote.cast >= record.closed_at and not voters[vote.node] then
      voters[vote.node] = true
      live[#live + 1] = vote
    end
  end
  return live
end

-- Ends what the record says of an open period, a lease and votes.
local function reset(record, phase, why)
  record.phase, record.ends, record.duration, record.by, record.why = phase, 0, 0, INSTANCE, why
  record.token, record.lease_ends, record.lease_duration, record.wanted, record.votes = '-', 0, 0, false, {}
end

local function open(record, opening, at)
  reset(record, 'o', opening.why)
  record.ends, record.duration = math.min(at + opening.duration, MAX_NUMBER), opening.duration
  record.attempt = opening.attempt
end

local function close(record, why)
  reset(record, 'c', why)
  record.closed_at = now
end

-- Returns the answer to a sender that does not hold the lease, or nil if it does.
local function not_holding(record, token)
  if is_unknown(record) then return 'absent' end
  if record.phase ~= 'h' or record.token ~= token then return 'fenced' end
end

local function span(field) return at_most(RETENTION, field) end
local function attempt(field) return at_most(MAX_ATTEMPT, field) end
local function flag(field) return field == '0' or field == '1' or nil end

-- Each function checks its arguments, changes the record, and returns a word and what becomes of the record:
-- `keep` writes it, `publish` also gives it a version and tells subscribers, `remove` forgets it.
local operations = {}

-- Arguments: duration, instant, attempt, why, quorum, alone, life of the vote, time until the backoff is reset
function operations.trip(record, arguments)
  local opening = { duration = span(arguments[1]), attempt = attempt(arguments[3]), why = word(arguments[4], MAX_WORD) }
  local at, quorum, alone = number(arguments[2]), at_most(MAX_QUORUM, arguments[5]), arguments[6]
  local vote_life, reset_after = span(arguments[7]), span(arguments[8])
  if not (opening.duration and opening.attempt and opening.why and at and quorum and quorum >= 1 and flag(alone)
    and vote_life and reset_after) then return 'bad' end
  at = math.min(at, now)
  if record.closed_at > at then return 'stale' end
  if holds(record) then
    if record.phase == 'h' then return 'trying' end
    local ends = math.min(at + opening.duration, MAX_NUMBER)
    if opening.why ~= 'asked' or record.by ~= INSTANCE or ends <= record.ends then return 'joined' end
    record.ends, record.duration, record.why = ends, opening.duration, 'asked'
    return 'joined', 'publish'
  end
  if members <= 1 and alone == '1' then quorum = 1 end
  local votes = live_votes(record)
  if #votes + 1 < quorum then
    if record.phase == '-' then record.phase = 'v' end
    votes[#votes + 1] = { node = NODE, cast = at, ends = math.min(now + vote_life, MAX_NUMBER) }
    record.votes = votes
    return 'voting ' .. text(#votes), 'keep'
  end
  local continues = record.phase == 'o' or record.phase == 'h'
    or (record.phase == 'c' and now - record.closed_at < reset_after)
  if continues then opening.attempt = math.max(opening.attempt, record.attempt) end
  open(record, opening, at)
  return 'opened', 'publish'
end

-- Arguments: token, duration, 1 if calls wait, attempt of a circuit that the fleet has opened or `-`
function operations.lease(record, arguments)
  local token, duration, demand = word(arguments[1], MAX_TOKEN), span(arguments[2]), arguments[3]
  local restored = arguments[4] ~= '-' and attempt(arguments[4]) or nil
  if not (token and duration and flag(demand) and (restored or arguments[4] == '-')) then return 'bad' end
  local ends = math.min(now + duration, MAX_NUMBER)
  if record.phase == 'h' and record.token == token then
    record.lease_ends, record.lease_duration = ends, duration
    return record.wanted and 'wanted' or 'granted', 'keep'
  end
  if is_unknown(record) then
    if not restored then return 'absent' end
    record.attempt = restored
  elseif record.phase == 'c' then
    return 'closed'
  elseif record.phase == 'o' and holds(record) then
    -- A full rest may have been cut, and would be cut anew at each read.
    return 'early', record.ends == math.min(now + record.duration, MAX_NUMBER) and 'keep' or nil
  elseif record.phase == 'h' and holds(record) then
    if demand == '0' or record.wanted then
      return 'taken', record.lease_ends == math.min(now + record.lease_duration, MAX_NUMBER) and 'keep' or nil
    end
    record.wanted = true
    return 'taken', 'publish'
  end
  record.phase, record.token, record.lease_ends, record.lease_duration = 'h', token, ends, duration
  record.by, record.why, record.wanted = INSTANCE, 'lease', false
  return 'granted', 'publish'
end

-- Arguments: token
operations['yield'] = function(record, arguments)
  local token = word(arguments[1], MAX_TOKEN)
  if not token then return 'bad' end
  local fenced = not_holding(record, token)
  if fenced then return fenced end
  record.phase, record.ends, record.token, record.lease_ends, record.lease_duration = 'o', now, '-', 0, 0
  record.by, record.why, record.wanted = INSTANCE, 'yielded', false
  return 'yielded', 'publish'
end

-- Arguments: token, `c`; or token, `o`, duration, attempt, why
function operations.done(record, arguments)
  local token, verdict = word(arguments[1], MAX_TOKEN), arguments[2]
  local opening = { duration = span(arguments[3]), attempt = attempt(arguments[4]), why = word(arguments[5], MAX_WORD) }
  local is_opening = verdict == 'o' and opening.duration and opening.attempt and opening.why
  if not (token and (verdict == 'c' or is_opening)) then return 'bad' end
  -- The verdict of a holder is all that is known of a circuit whose record was lost.
  if not_holding(record, token) == 'fenced' then return 'fenced' end
  if verdict == 'o' then
    open(record, opening, now)
    return 'opened', 'publish'
  end
  close(record, 'succeeded')
  return 'closed', 'publish'
end

function operations.unvote(record)
  if #record.votes == 0 then return 'unvoted' end
  record.votes = live_votes(record)
  local is_empty = record.phase == 'v' and #record.votes == 0
  return 'unvoted', is_empty and 'remove' or 'keep'
end

-- Arguments: rest of the open period, attempt, instance that opened, why, version of the lost record
function operations.restore(record, arguments)
  local opening = { duration = span(arguments[1]), attempt = attempt(arguments[2]), why = word(arguments[4], MAX_WORD) }
  local by, version = word(arguments[3], MAX_WORD), number(arguments[5])
  if not (opening.duration and opening.attempt and opening.why and by and version and version > 0) then return 'bad' end
  if record.phase == 'c' then return 'closed' end
  if record.phase == 'h' then return 'trying' end
  if record.phase == 'o' then return 'joined' end
  open(record, opening, now)
  record.by, record.closed_at = by, 0
  return 'restored', 'publish'
end

function operations.close(record)
  if is_unknown(record) then return 'absent' end
  if record.phase == 'c' then return 'closed' end
  close(record, 'command')
  return 'closed', 'publish'
end

local published = {}

local function write(name, record)
  local fields = { text(record.version), record.phase, text(record.ends), text(record.duration), text(record.attempt),
    record.by, record.why, record.token, text(record.lease_ends), text(record.lease_duration), text(record.closed_at),
    record.wanted and '1' or '0' }
  local votes = {}
  for i, vote in ipairs(record.votes) do
    votes[i] = vote.node .. '/' .. text(vote.cast) .. '/' .. text(vote.ends)
  end
  fields[#fields + 1] = #votes > 0 and table.concat(votes, ',') or '-'
  if record.rest ~= '' then fields[#fields + 1] = record.rest end
  redis.call('HSET', RECORDS, name, table.concat(fields, ' '))
end

local function apply(operation, name, arguments)
  local record = read(redis.call('HGET', RECORDS, name))
  local answer, change = operation(record, arguments)
  if change == 'publish' then
    -- The head may have been lost. The versions of a record rise even then.
    local latest = math.max(head, record.version)
    if is_ahead(latest) then latest = 0 end
    local version = math.max(latest + 1, seen + 1, now)
    -- First, so that a failure below leaves a gap in the chain of messages, after which subscribers pull.
    redis.call('SET', HEAD, text(version))
    head, record.version = version, version
    cut(record)
    redis.call('ZADD', INDEX, text(version), name)
    write(name, record)
    published[#published + 1] = view(name, record)
  elseif change == 'keep' then
    cut(record)
    redis.call('ZADD', INDEX, 'NX', text(record.version), name)
    write(name, record)
  elseif change == 'remove' then
    redis.call('ZREM', INDEX, name)
    redis.call('HDEL', RECORDS, name)
    record = absent()
  end
  return answer .. '|' .. view(name, record)
end

-- An operation that fails must not lose the others of its batch.
local function answer(operation, name, arguments)
  if not is_name(name) then return 'bad|' .. view('-', absent()) end
  if fault then return 'failed ' .. reason_of(fault) .. '|' .. view(name, absent()) end
  local applied, answered = pcall(apply, operation or function() return 'bad' end, name, arguments)
  if applied then return answered end
  return 'failed ' .. reason_of(answered) .. '|' .. view(name, absent())
end

local answers = {}
local at = 8
while at <= #ARGV do
  local count = number(ARGV[at + 2])
  if not count or at + 2 + count > #ARGV then
    -- The rest of a list that is too short cannot be told apart.
    answers[#answers + 1] = 'bad|' .. view('-', absent())
    break
  end
  local arguments = {}
  for i = 1, count do arguments[i] = ARGV[at + 2 + i] end
  answers[#answers + 1] = answer(operations[ARGV[at]], ARGV[at + 1], arguments)
  at = at + 3 + count
end

local unpublished = '0'
if not fault then refresh_expiry() end
if #published > 0 then
  -- Last: a channel that is not permitted must not undo the writes, or hide that they were made.
  local line = 'bb1 ' .. text(previous) .. ' ' .. text(head) .. ' ' .. INSTANCE
  if error_of(redis.pcall('PUBLISH', ARGV[2], line .. '\n' .. table.concat(published, '\n'))) then unpublished = '1' end
end
local reply = { text(head), text(now), text(members), unpublished }
for _, answered in ipairs(answers) do reply[#reply + 1] = answered end
return reply
