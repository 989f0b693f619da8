-- Secrets that a person types: they travel by the server's pipe, so that no message and no log has them.
local M = {}

local function write(pipe, text)
  local file = vim.uv.fs_open(pipe, 'w', 384)
  if not file then
    return false
  end
  local written = vim.uv.fs_write(file, text)
  vim.uv.fs_close(file)
  return written == #text
end

--- Answer the server's request for a secret. Runs in the coroutine that Neovim makes for each request.
function M.input(params)
  local co = coroutine.running()
  vim.schedule(function()
    local typed, text = pcall(vim.fn.inputsecret, (params.prompt or 'Secret') .. ': ')
    local given = typed and text ~= '' and write(params.pipe, text)
    coroutine.resume(co, { given = given })
  end)
  return coroutine.yield()
end

return M
