--- What is kept for later: the whiteboard of a session, and wisdom, with how far it is trusted.
local M = {}

local asking = require('descartes.asking')
local call = require('descartes.call')
local runs = require('descartes.runs')
local views = require('descartes.views')

local TYPES = { 'task_description', 'code_snippet', 'design_decision', 'error_report', 'solution' }
local MARKERS = { 'insight', 'important', 'question', 'verification', 'correction' }

local function words(name)
  return (name:gsub('_', ' '))
end

local function pick(prompt, names, done)
  vim.ui.select(names, { prompt = prompt, format_item = words }, function(chosen)
    if chosen then
      done(chosen)
    end
  end)
end

local function put_text(lines, text, indent, entry)
  for _, line in ipairs(vim.split(vim.trim(text), '\n', { plain = true })) do
    lines[#lines + 1] = { { indent .. line }, entry = entry }
  end
end

local function when(at)
  return at:sub(1, 10) .. ' ' .. runs.clock(at):sub(1, 5)
end

local function put_entry(lines, entry)
  if #lines > 0 then
    lines[#lines + 1] = { { '' } }
  end
  lines[#lines + 1] = {
    { words(entry.type), 'Title' },
    { ('  %s  %s'):format(entry.by.name, when(entry.at)), 'Comment' },
    entry = entry,
  }
  put_text(lines, entry.content, '  ', entry)
  for _, each in ipairs(entry.annotations or {}) do
    lines[#lines + 1] = {
      { '    ' .. each.marker .. '  ', 'DiagnosticInfo' },
      { (each.text:gsub('%s+', ' ')) },
      { '  ' .. each.by.name, 'Comment' },
      entry = entry,
    }
  end
end

--- Put TEXT on the board of SESSION, what kind of entry it is being asked for.
local function post(session, text)
  pick('It is a', TYPES, function(type)
    call('whiteboard.post', { session = session, content = text, type = type }, function()
      M.whiteboard(session)
    end)
  end)
end

local function annotate(session, entry)
  asking.texts({ { name = 'write beside it' } }, function(texts)
    pick('It is', MARKERS, function(marker)
      call('whiteboard.annotate', { entry = entry.id, text = texts[1], marker = marker }, function()
        M.whiteboard(session)
      end)
    end)
  end)
end

--- Show the whiteboard of SESSION, by default that of the newest run's.
function M.whiteboard(session)
  call('whiteboard.list', { session = session }, function(board)
    local lines = {}
    for _, entry in ipairs(board.entries) do
      put_entry(lines, entry)
    end
    if #lines == 0 then
      lines[1] = { { 'Nothing is on this whiteboard yet', 'Comment' } }
    end
    local view = views.view('whiteboard', {})
    view:map({
      R = function()
        M.whiteboard(board.session)
      end,
      p = function()
        asking.texts({ { name = 'put on the whiteboard' } }, function(texts)
          post(board.session, texts[1])
        end)
      end,
      a = function()
        if view:entry() then
          annotate(board.session, view:entry())
        end
      end,
    })
    view:set(lines)
    view:show_prose(('Whiteboard %s   a write beside  p put something there  R again  q close'):format(board.session:sub(5, 12)), 2)
  end)
end

local function put_wisdom(lines, wisdom)
  local outcomes = wisdom.outcomes == 1 and '1 outcome' or ('%d outcomes'):format(wisdom.outcomes)
  local tags = #wisdom.tags > 0 and (' [%s]'):format(table.concat(wisdom.tags, ', ')) or ''
  local trusted = wisdom.confidence >= 0.6 and 'DiagnosticOk' or 'DiagnosticWarn'
  lines[#lines + 1] = {
    { ('%3.0f %%  '):format(100 * wisdom.confidence), trusted },
    { (wisdom.insight:gsub('%s+', ' ')) },
    entry = wisdom,
  }
  lines[#lines + 1] = {
    { ('       %s%s  %s, %s, %s'):format(wisdom.category, tags, wisdom.by.name, outcomes, when(wisdom.at)), 'Comment' },
    entry = wisdom,
  }
end

--- Show what was learned here, the most trusted first, or what fits ABOUT, some words.
function M.wisdom(about)
  local function again()
    M.wisdom(about)
  end
  local function outcome(helped)
    return function(view)
      if view:entry() then
        call('wisdom.outcome', { wisdom = view:entry().id, helped = helped }, again)
      end
    end
  end
  call('wisdom.list', { about = about ~= '' and about or nil }, function(answer)
    local lines = {}
    for _, wisdom in ipairs(answer.wisdom) do
      put_wisdom(lines, wisdom)
    end
    if #lines == 0 then
      lines[1] = { { 'Nothing of that was learned here yet', 'Comment' } }
    end
    local view = views.view('wisdom', {})
    view:map({
      R = again,
      ['+'] = outcome(true),
      ['-'] = outcome(false),
      a = function()
        asking.texts({ { name = 'what was learned' }, { name = 'category', optional = true } }, function(texts)
          call('wisdom.add', { insight = texts[1], category = texts[2] }, again)
        end)
      end,
    })
    view:set(lines)
    local what = (about or '') ~= '' and ('What was learned about %s'):format(about) or 'What was learned here'
    view:show_prose(what:gsub('%%', '%%%%') .. '   + it helped  - it did not  a add  R again  q close', 6)
  end)
end

return M
