--- The profiler: what took how long, as lines with bars; the flame graph opens in the browser.
local M = {}

local call = require('descartes.call')
local views = require('descartes.views')

local HELP = 'o flame graph in the browser  s speedscope file  t report  q close'
local BAR = 30 -- columns that stand for all samples
local MODES = { 'cpu', 'alloc', 'time' }
local WHAT = { cpu = 'processor time', alloc = 'allocation', time = 'time on the clock' }

local function percent(count, all)
  return ('%5.1f %%'):format(100 * count / math.max(all, 1))
end

--- Return the line for FUNCTION of a profile of ALL samples: the dark part of the bar is its own, the rest its callees'.
local function line_of(each, all)
  local own = math.floor(BAR * each.self / math.max(all, 1) + 0.5)
  local total = math.max(math.floor(BAR * each.total / math.max(all, 1) + 0.5), own)
  return {
    { percent(each.self, all) .. ' ', 'Number' },
    { percent(each.total, all) .. '  ', 'Number' },
    { ('█'):rep(own), 'DiagnosticWarn' },
    { ('░'):rep(total - own), 'Comment' },
    { (' '):rep(BAR - total + 1) .. each.name, 'Function' },
  }
end

local function show(profile)
  local function opens(path)
    return function()
      vim.ui.open(path)
    end
  end
  local function edits(path)
    return function()
      views.go_to({ uri = vim.uri_from_fname(path), range = { start = { line = 0, character = 0 }, ['end'] = { line = 0, character = 0 } } })
    end
  end
  local head = ('%d samples of %s in %.1f s'):format(profile.samples, WHAT[profile.mode], profile.elapsedMs / 1000)
  local lines = { { { head, 'Title' } } }
  if #profile.flat == 0 then
    lines[#lines + 1] = { { 'It was too short for a sample; profile more of it, or the same some thousand times', 'Comment' } }
  else
    lines[#lines + 1] = { { ('%7s %8s  '):format('self', 'total'), 'Comment' } }
  end
  for _, each in ipairs(profile.flat) do
    lines[#lines + 1] = line_of(each, profile.samples)
  end
  local view = views.view('profile', {})
  view:map({ o = opens(profile.svg), s = edits(profile.speedscope), t = edits(profile.report) })
  view:set(lines)
  view:show(HELP)
end

--- Evaluate CODE, or the top-level form at the place AT, under the profiler.
function M.profile(params)
  call('lisp.profile', params, function(profile)
    show(profile)
    if type(profile.evaluation) == 'table' then
      require('descartes.image').show(profile.evaluation)
    end
  end)
end

--- Begin to profile all that the image does; MODE is asked for when it is none of those there are.
function M.start(mode)
  if vim.tbl_contains(MODES, mode) then
    return call('lisp.profileStart', { mode = mode }, function()
      vim.notify(('Descartes: profiling %s until :Descartes profile-stop'):format(WHAT[mode]))
    end)
  end
  vim.ui.select(MODES, {
    prompt = 'Profile',
    format_item = function(each)
      return ('%s: %s'):format(each, WHAT[each])
    end,
  }, function(chosen)
    if chosen then
      M.start(chosen)
    end
  end)
end

--- End the profile and show what took most.
function M.stop()
  call('lisp.profileStop', {}, show)
end

return M
