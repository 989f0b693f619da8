--- Descartes for Neovim: starts the server for Lisp buffers and hands its notifications to the panels.
--- Decides nothing that the server can decide.
local M = {}

local config = require('descartes.config')
local METHODS = require('descartes.protocol')

local warned = false

---@return table<string, fun(err: any, params: any, context: any)>
local function handlers()
  local found = {}
  for method, where in pairs(METHODS) do
    found[method] = function(_, params, context)
      local answer = require('descartes.' .. where.module)[where.name](params, context)
      return answer
    end
  end
  return found
end

local function capabilities()
  local found = vim.lsp.protocol.make_client_capabilities()
  found.experimental = { descartes = { notifications = true } }
  return found
end

local function warn_of_problems()
  if not warned then
    warned = true
    for _, problem in ipairs(config.problems(vim.g.descartes or {})) do
      vim.notify(problem, vim.log.levels.WARN)
    end
  end
end

local function keymaps(buffer)
  local function map(keys, command, what)
    vim.keymap.set('n', '<LocalLeader>' .. keys, '<Cmd>Descartes ' .. command .. '<CR>', {
      buffer = buffer,
      desc = 'Descartes: ' .. what,
    })
  end
  map('e', 'eval-form', 'evaluate the top-level form')
  map('x', 'eval-last', 'evaluate the form before the cursor')
  map('c', 'compile-form', 'compile the top-level form')
  map('k', 'compile-file', 'compile and load the file')
  map('d', 'debugger', 'show the debugger')
  map('i', 'interventions', 'answer a question')
  map('l', 'codelens', 'run the code lens of this line')
end

local function on_attach(client, buffer)
  if client.server_capabilities.codeLensProvider then
    local refresh = function()
      if vim.api.nvim_buf_is_valid(buffer) then
        vim.lsp.codelens.refresh({ bufnr = buffer })
      end
    end
    vim.api.nvim_create_autocmd({ 'BufEnter', 'InsertLeave', 'TextChanged' }, {
      group = vim.api.nvim_create_augroup('descartes-lens-' .. buffer, {}),
      buffer = buffer,
      callback = refresh,
    })
    refresh()
  end
end

--- Start the server for BUFFER, or attach it to the one that serves its workspace.
---@param buffer integer
function M.attach(buffer)
  if vim.bo[buffer].buftype ~= '' then
    return
  end
  warn_of_problems()
  local options = config.get()
  if vim.fn.executable(options.cmd[1]) == 0 then
    vim.notify_once(
      ('Descartes: %s is not on the PATH; install it with `pip install descartes-lsp`'):format(options.cmd[1]),
      vim.log.levels.WARN
    )
    return
  end
  local file = vim.api.nvim_buf_get_name(buffer)
  local root = vim.fs.root(buffer, { 'descartes.toml', '.git', '.descartes' })
  vim.lsp.start({
    name = 'descartes',
    cmd = options.cmd,
    root_dir = root or vim.fs.dirname(file ~= '' and file or vim.uv.cwd() .. '/x'),
    capabilities = capabilities(),
    handlers = handlers(),
    settings = { descartes = options.settings },
    init_options = { trusted = options.trusted, settings = options.settings },
    on_attach = on_attach,
  }, { bufnr = buffer })
  if options.keymaps then
    keymaps(buffer)
  end
end

--- Return the server's client for BUFFER, or any of them.
---@param buffer? integer
---@return vim.lsp.Client?
function M.client(buffer)
  local here = vim.lsp.get_clients({ name = 'descartes', bufnr = buffer or 0 })[1]
  return here or vim.lsp.get_clients({ name = 'descartes' })[1]
end

--- Ask for OPERATION with ARGUMENTS; DONE gets the result. An error is shown, and given to FAILED if there is one.
---@param operation string such as 'lisp.eval'
---@param arguments table
---@param done? fun(result: any)
---@param failed? fun(message: string)
function M.call(operation, arguments, done, failed)
  local client = M.client()
  if not client then
    vim.notify('Descartes: open a Lisp file first', vim.log.levels.WARN)
    return
  end
  local params = {
    command = 'descartes.' .. operation,
    arguments = { next(arguments) and arguments or vim.empty_dict() },
  }
  require('descartes.protocol_client').request(client, 'workspace/executeCommand', params, function(err, result)
    if err then
      vim.notify('Descartes: ' .. err.message, vim.log.levels.WARN)
      if failed then
        failed(err.message)
      end
    elseif done then
      done(result)
    end
  end)
end

return M
