--- Options, read from vim.g.descartes and checked once.
local M = {}

---@class descartes.Options
---@field cmd? string[] the server's command; default { 'descartes', 'lsp' }
---@field settings? table settings of the server, as in descartes.toml
---@field trusted? boolean trust every workspace opened here; by default the server asks once for each
---@field keymaps? boolean set the key maps of :help descartes-keys in Lisp buffers; default true
---@field hints? boolean show results behind their forms, as inlay hints; default true
---@field panel? boolean open the debugger beside the code when a thread stops; default true
---@field width? integer width of the debugger's window, columns; default 64

local defaults = {
  cmd = { 'descartes', 'lsp' },
  settings = vim.empty_dict(),
  keymaps = true,
  hints = true,
  panel = true,
  width = 64,
}
local types = {
  cmd = 'table',
  settings = 'table',
  trusted = 'boolean',
  keymaps = 'boolean',
  hints = 'boolean',
  panel = 'boolean',
  width = 'number',
}

--- Return what is wrong with OPTIONS, a sentence each.
---@param options table
---@return string[]
function M.problems(options)
  local found = {}
  for name, value in pairs(options) do
    local expected = types[name]
    if not expected then
      found[#found + 1] = ('vim.g.descartes.%s is not an option'):format(name)
    elseif type(value) ~= expected then
      found[#found + 1] = ('vim.g.descartes.%s: expected a %s, got a %s'):format(name, expected, type(value))
    end
  end
  table.sort(found)
  return found
end

--- Return the options that count: those given over the defaults; wrong ones are left out.
---@return descartes.Options
function M.get()
  local given, good = vim.g.descartes or {}, {}
  for name, value in pairs(given) do
    if types[name] == type(value) then
      good[name] = value
    end
  end
  return vim.tbl_extend('force', defaults, good)
end

return M
