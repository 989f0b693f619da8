--- What was done to the image: what it has of a file, what everybody did, done again in a fresh one, compared.
local M = {}

local call = require('descartes.call')
local views = require('descartes.views')

--- List the definitions of the file URI that the image has not, or has otherwise, or that only it has.
function M.drift(uri)
  call('lisp.drift', { uri = uri }, function(answer)
    local found = vim.tbl_filter(function(form)
      return form.state ~= 'loaded'
    end, answer.forms)
    for _, form in ipairs(answer.removed or {}) do
      found[#found + 1] = { name = form.name, kind = form.kind, state = 'removed from the text' }
    end
    if #found == 0 then
      return vim.notify('The image has everything as it stands in this file')
    end
    views.places('Not as in the image', found, function(form)
      return ('%s: %s %s'):format(form.state, form.kind, form.name)
    end)
  end)
end

local function text(value)
  return type(value) == 'string' and value or nil
end

--- Return the lines for ENTRY of the journal: who did what when, then the code.
local function put(lines, entry)
  local clock = require('descartes.runs').clock(entry.at)
  local uri = text(entry.uri)
  local place = uri and (' ' .. vim.fn.fnamemodify(vim.uri_to_fname(uri), ':.')) or ''
  local about = text(entry.package) and (' in ' .. entry.package) or ''
  local outcome = entry.outcome == 'done' and 'Comment' or 'DiagnosticWarn'
  local here = uri and { uri = uri, range = type(entry.range) == 'table' and entry.range or nil }
  lines[#lines + 1] = {
    { ('%6d '):format(entry.seq), 'Number' },
    { ('%s  %s  '):format(clock, entry.by.name), 'Comment' },
    { entry.kind .. place .. about, 'Title' },
    { '  ' .. entry.outcome, outcome },
    entry = here,
  }
  for _, line in ipairs(vim.split(vim.trim(text(entry.code) or ''), '\n', { plain = true })) do
    if line ~= '' then
      lines[#lines + 1] = { { '       ' .. line }, entry = here }
    end
  end
end

local FIRST = { start = { line = 0, character = 0 }, ['end'] = { line = 0, character = 0 } }

local function go_there(view)
  local here = view:entry()
  if here then
    views.go_to({ uri = here.uri, range = here.range or FIRST })
  end
end

--- Show what was evaluated, compiled and loaded, by whomever, the oldest first; SINCE: a number, time or event.
function M.show(since)
  call('lisp.journal', { since = since ~= '' and since or nil }, function(answer)
    local lines = {}
    for _, entry in ipairs(answer.entries) do
      put(lines, entry)
    end
    if #lines == 0 then
      lines[1] = { { 'Nothing was evaluated, compiled or loaded here yet', 'Comment' } }
    end
    if type(answer.next) == 'number' then
      lines[#lines + 1] = { { ('… more: :Descartes journal %d'):format(answer.next), 'Comment' } }
    end
    local view = views.view('journal', { ['<CR>'] = go_there })
    view:set(lines)
    view:show('What was done to the image   <CR> go to its place  q close')
    vim.api.nvim_win_set_cursor(view:window(), { since == '' and #lines or 1, 0 })
  end)
end

--- Repeat everything in a fresh image and go there; what could not be repeated is shown with its reason.
function M.replay()
  call('lisp.replay', {}, function(answer)
    local n_skipped = #answer.skipped
    vim.notify(('Descartes: repeated %d, skipped %d'):format(answer.repeated, n_skipped))
    if n_skipped == 0 then
      return
    end
    local lines = { { { ('%d repeated, %d not:'):format(answer.repeated, n_skipped), 'Title' } } }
    for _, skipped in ipairs(answer.skipped) do
      lines[#lines + 1] = { { ('%6d '):format(skipped.seq), 'Number' }, { skipped.reason }, entry = skipped }
    end
    local view = views.view('replay', {
      ['<CR>'] = function(view)
        if view:entry() then
          M.show(view:entry().seq)
        end
      end,
    })
    view:set(lines)
    view:show('<CR> show it in the journal  q close')
  end)
end

local function put_side(lines, name, definition)
  lines[#lines + 1] = { { '  ' .. name, 'Comment' } }
  for _, line in ipairs(vim.split(text(definition) or 'nothing', '\n', { plain = true })) do
    lines[#lines + 1] = { { '    ' .. line, not text(definition) and 'Comment' or nil } }
  end
end

--- Show the definitions that this image and OTHER, "host:port" or "replay", do not have alike.
function M.compare(other)
  call('lisp.compare', { other = other ~= '' and other or 'replay' }, function(answer)
    local lines = {}
    for _, each in ipairs(answer.definitions) do
      lines[#lines + 1] = { { each.kind .. ' ', 'Type' }, { each.name, 'Function' } }
      put_side(lines, 'here', each.here)
      put_side(lines, 'there', each.there)
    end
    if #lines == 0 then
      lines[1] = { { 'The definitions are the same', 'Comment' } }
    elseif answer.more > 0 then
      lines[#lines + 1] = { { ('… %d more'):format(answer.more), 'Comment' } }
    end
    local view = views.view('comparison', {})
    view:set(lines)
    view:show('Definitions that are not alike   q close')
  end)
end

return M
