--- Runs, leases and history: what changed, in a line; lists on request.
local M = {}

local call = require('descartes.call')

M.runs = {} ---@type table<string, table> the runs that changed since the editor started, by id

local ENDED = { completed = true, failed = true, terminated = true }

--- Announce the end of a run.
function M.run_changed(run)
  local before = M.runs[run.id]
  M.runs[run.id] = run
  if ENDED[run.status] and not (before and ENDED[before.status]) then
    local reason = run.reason and (': ' .. run.reason) or ''
    local level = run.status == 'failed' and vim.log.levels.WARN or vim.log.levels.INFO
    vim.notify(('Descartes: %s %s%s'):format(run.agent, run.status, reason), level)
  end
  vim.api.nvim_exec_autocmds('User', { pattern = 'DescartesRun', data = run })
end

--- What runs print, and what is in the log, is read on request; other plugins may listen to the events.
function M.run_output(params)
  vim.api.nvim_exec_autocmds('User', { pattern = 'DescartesRunOutput', data = params })
end

function M.event(event)
  vim.api.nvim_exec_autocmds('User', { pattern = 'DescartesEvent', data = event })
end

--- Announce a takeover; the server itself asks for lenses to be drawn anew.
function M.lease_changed(params)
  if params.change == 'stolen' then
    vim.notify(('Descartes: %s took over %s'):format(params.lease.holder.name, params.lease.path))
  end
  vim.api.nvim_exec_autocmds('User', { pattern = 'DescartesLease', data = params })
end

--- Return an ISO 8601 UTC time as the person's clock shows it: "2026-01-02T10:00:00Z" -> "11:00:00" in Paris.
function M.clock(time)
  local year, month, day, hour, minute, second = time:match('(%d+)-(%d+)-(%d+)T(%d+):(%d+):(%d+)')
  local function seconds(fields)
    return os.time(fields)
  end
  local utc = seconds({ year = year, month = month, day = day, hour = hour, min = minute, sec = second, isdst = false })
  local offset = os.difftime(utc, seconds(vim.tbl_extend('force', os.date('!*t', utc), { isdst = false })))
  return os.date('%H:%M:%S', utc + offset)
end

local function aligned(rows)
  local widths = {}
  for _, row in ipairs(rows) do
    for column, text in ipairs(row) do
      widths[column] = math.max(widths[column] or 0, vim.fn.strdisplaywidth(text))
    end
  end
  return vim.tbl_map(function(row)
    local cells = {}
    for column, text in ipairs(row) do
      cells[column] = text .. (' '):rep(widths[column] - vim.fn.strdisplaywidth(text))
    end
    return (table.concat(cells, '  '):gsub('%s+$', ''))
  end, rows)
end

--- Show THINGS in a window of their own, a line each made by ROW, a function to a list of texts. KEYS maps keys to
--- functions that get the thing under the cursor.
local function list(title, things, row, keys)
  local lines = #things > 0 and aligned(vim.tbl_map(row, things)) or { 'none' }
  local buffer = vim.api.nvim_create_buf(false, true)
  vim.api.nvim_buf_set_lines(buffer, 0, -1, false, lines)
  vim.bo[buffer].bufhidden, vim.bo[buffer].modifiable = 'wipe', false
  local window = vim.api.nvim_open_win(buffer, true, { split = 'below', win = 0, height = math.min(#lines + 1, 12) })
  vim.wo[window][0].winbar, vim.wo[window][0].cursorline, vim.wo[window][0].wrap = title, true, false
  vim.keymap.set('n', 'q', '<Cmd>close<CR>', { buffer = buffer, nowait = true })
  for key, action in pairs(keys or {}) do
    vim.keymap.set('n', key, function()
      local thing = things[vim.api.nvim_win_get_cursor(0)[1]]
      if thing then
        action(thing)
      end
    end, { buffer = buffer, nowait = true })
  end
end

local function on_run(operation)
  return function(run)
    call('run.' .. operation, { run = run.id }, function(now)
      vim.notify(('Descartes: %s is %s'):format(now.agent, now.status))
    end)
  end
end

function M.list()
  call('run.list', vim.empty_dict(), function(result)
    list('Runs   <CR> output  h history  p pause  r resume  s stop  q close', result.runs, function(run)
      return { run.id:sub(5, 12), run.status, run.agent, (run.task:gsub('\n.*', '')) }
    end, {
      ['<CR>'] = function(run)
        call('run.output', { run = run.id, show = true })
      end,
      h = function(run)
        require('descartes.timeline').run(run.id)
      end,
      p = on_run('pause'),
      r = on_run('resume'),
      s = on_run('stop'),
    })
  end)
end

function M.leases()
  call('lease.list', vim.empty_dict(), function(result)
    list('Leases   q close', result.leases, function(lease)
      return { lease.path, lease.holder.name, lease.mode, M.clock(lease.expiresAt), lease.reason or '' }
    end)
  end)
end

function M.history()
  call('history.list', { limit = 200 }, function(result)
    list('History, newest first   <CR> show  q close', result.events, function(event)
      return { tostring(event.seq), M.clock(event.at), event.name, event.actor.name }
    end, {
      ['<CR>'] = function(event)
        call('history.show', { event = event.id, show = true })
      end,
    })
  end)
end

return M
