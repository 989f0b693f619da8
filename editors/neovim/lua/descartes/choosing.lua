--- Several things chosen at once: a small window with a mark before each.
local M = {}

local KEYS = '<Space> mark or unmark  <CR> go on  q leave it'
local namespace = vim.api.nvim_create_namespace('descartes-choosing')

---@class descartes.Markable
---@field id string
---@field text string
---@field note? string what stands behind it
---@field warn? boolean the note is a warning
---@field off? boolean not marked at first

local function line_of(item)
  return ('[%s] %s'):format(item.marked and 'x' or ' ', item.text)
end

local function draw(buffer, items)
  vim.bo[buffer].modifiable = true
  vim.api.nvim_buf_set_lines(buffer, 0, -1, false, vim.tbl_map(line_of, items))
  vim.bo[buffer].modifiable = false
  vim.api.nvim_buf_clear_namespace(buffer, namespace, 0, -1)
  for row, item in ipairs(items) do
    local group = item.warn and 'DiagnosticWarn' or 'Comment'
    local note = item.note and { { '  ' .. item.note, group } } or nil
    vim.api.nvim_buf_set_extmark(buffer, namespace, row - 1, 0, { virt_text = note })
  end
end

local function open(title, items)
  local buffer = vim.api.nvim_create_buf(false, true)
  vim.api.nvim_buf_set_name(buffer, 'descartes://choice')
  vim.bo[buffer].bufhidden = 'wipe'
  draw(buffer, items)
  local window = vim.api.nvim_open_win(buffer, true, { split = 'below', win = 0, height = math.min(#items + 1, 14) })
  vim.wo[window][0].winbar = ('%s   %s'):format(title:gsub('%%', '%%%%'), KEYS)
  vim.wo[window][0].cursorline, vim.wo[window][0].wrap, vim.wo[window][0].number = true, false, false
  return buffer, window
end

--- Return the ids of those of ITEMS that are marked.
local function marked(items)
  local found = {}
  for _, item in ipairs(items) do
    if item.marked then
      found[#found + 1] = item.id
    end
  end
  return found
end

--- Let the person mark some of ITEMS under TITLE; DONE gets their ids, at least one. Leaving the window is no answer.
---@param title string
---@param items descartes.Markable[]
---@param done fun(ids: string[])
function M.several(title, items, done)
  for _, item in ipairs(items) do
    item.marked = not item.off
  end
  local buffer, window = open(title, items)
  local function map(key, act)
    vim.keymap.set('n', key, act, { buffer = buffer, nowait = true, silent = true })
  end
  map('<Space>', function()
    local item = items[vim.api.nvim_win_get_cursor(window)[1]]
    item.marked = not item.marked
    draw(buffer, items)
  end)
  map('<CR>', function()
    local ids = marked(items)
    if #ids == 0 then
      return vim.notify('Descartes: mark at least one line, or leave it with q')
    end
    vim.api.nvim_win_close(window, true)
    done(ids)
  end)
  map('q', function()
    vim.api.nvim_win_close(window, true)
  end)
end

return M
