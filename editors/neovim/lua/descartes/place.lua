--- Where the cursor is, as parameters of operations.
local M = {}

local function is_file()
  return vim.bo.buftype == ''
end

local function of_file()
  if not is_file() then
    error({ expected = 'go to a file first: this window shows none' })
  end
end

--- Return the file and the cursor's place in it.
--- Errors: a table with what is `expected`, where the current window shows no file; `commands` says it to the person.
function M.here()
  of_file()
  local client = require('descartes').client()
  local encoding = client and client.offset_encoding or 'utf-16'
  local params = vim.lsp.util.make_position_params(0, encoding)
  return { uri = params.textDocument.uri, position = params.position }
end

--- Return the cursor's place where the current window shows Lisp, else nothing: then the server takes the last file.
function M.if_in_lisp()
  return is_file() and vim.bo.filetype == 'lisp' and M.here() or {}
end

--- Return the file. Errors: as `here`.
function M.file()
  of_file()
  return { uri = vim.uri_from_bufnr(0) }
end

--- Return PARAMETERS, such as those of a place, and MORE.
function M.with(parameters, more)
  return vim.tbl_extend('force', parameters, more)
end

--- Return parameters that name the symbol TEXT, or the one under the cursor, as it is written here.
---@param text string
function M.symbol(text)
  return M.with(M.if_in_lisp(), { symbol = text ~= '' and text or vim.fn.expand('<cword>') })
end

return M
