--- Runs and leases: what changed, in a line; lists on request.
local M = {}

M.runs = {} ---@type table<string, table>
M.events = {} ---@type table[]

local ENDED = { completed = true, failed = true, terminated = true }

function M.run_changed(run)
  local before = M.runs[run.id]
  M.runs[run.id] = run
  if ENDED[run.status] and not (before and ENDED[before.status]) then
    local reason = run.reason and (': ' .. run.reason) or ''
    local level = run.status == 'failed' and vim.log.levels.WARN or vim.log.levels.INFO
    vim.notify(('Descartes: %s %s%s'):format(run.agent, run.status, reason), level)
  end
end

function M.run_output(_) end

function M.event(event)
  M.events[#M.events + 1] = event
end

--- A lease changed hands: the lenses and hovers are asked for anew by the server; only a takeover is announced.
function M.lease_changed(params)
  if params.change == 'stolen' then
    vim.notify(('Descartes: %s took over %s'):format(params.lease.holder.name, params.lease.path))
  end
end

local function cell(value)
  return type(value) == 'string' and value or ''
end

--- Show ROWS, a list of lists of text, in a window of their own.
local function show(title, rows)
  local widths, lines = {}, {}
  for _, row in ipairs(rows) do
    for column, text in ipairs(row) do
      widths[column] = math.max(widths[column] or 0, vim.fn.strdisplaywidth(text))
    end
  end
  for _, row in ipairs(rows) do
    local cells = {}
    for column, text in ipairs(row) do
      cells[column] = text .. (' '):rep(widths[column] - vim.fn.strdisplaywidth(text))
    end
    lines[#lines + 1] = (table.concat(cells, '  '):gsub('%s+$', ''))
  end
  local buffer = vim.api.nvim_create_buf(false, true)
  vim.api.nvim_buf_set_lines(buffer, 0, -1, false, lines)
  vim.bo[buffer].bufhidden, vim.bo[buffer].modifiable = 'wipe', false
  vim.api.nvim_open_win(buffer, true, { split = 'below', win = 0, height = math.min(#lines, 12) })
  vim.wo.winbar = title
  vim.keymap.set('n', 'q', '<Cmd>close<CR>', { buffer = buffer })
end

function M.list()
  require('descartes').call('run.list', {}, function(result)
    local rows = {}
    for _, run in ipairs(result.runs) do
      rows[#rows + 1] = { run.id:sub(5, 12), run.status, run.agent, run.task:gsub('\n.*', '') }
    end
    show('Runs', #rows > 0 and rows or { { 'no runs yet' } })
  end)
end

function M.leases()
  require('descartes').call('lease.list', {}, function(result)
    local rows = {}
    for _, lease in ipairs(result.leases) do
      rows[#rows + 1] = { lease.path, lease.holder.name, lease.mode, cell(lease.reason), lease.expiresAt:sub(12, 19) }
    end
    show('Leases', #rows > 0 and rows or { { 'no file is leased' } })
  end)
end

function M.history()
  require('descartes').call('history.list', { limit = 200 }, function(result)
    local rows = {}
    for _, event in ipairs(result.events) do
      rows[#rows + 1] = { tostring(event.seq), event.at:sub(12, 19), event.name, event.actor.name }
    end
    show('History, newest first', rows)
  end)
end

return M
