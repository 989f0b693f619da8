--- Descartes for Neovim: starts the server for Lisp buffers and hands its notifications to the panels.
--- Decides nothing that the server can decide.
local M = {}

local config = require('descartes.config')
local METHODS = require('descartes.protocol')

local warned = false
local starting ---@type integer? the client that was started last

--- Ask for the hints of every buffer of CLIENT_ID again, and forget those that there are: Neovim 0.10 goes on to
--- show them on lines whose text is the same, and 0.11 does when it draws before the answer comes.
local function refresh_hints(client_id)
  for _, buffer in ipairs(vim.lsp.get_buffers_by_client_id(client_id)) do
    if vim.lsp.inlay_hint.is_enabled({ bufnr = buffer }) then
      vim.lsp.inlay_hint.enable(true, { bufnr = buffer })
    end
  end
end

---@return table<string, fun(err: any, params: any, context: any)>
local function handlers()
  local found = {}
  for method, where in pairs(METHODS) do
    found[method] = function(_, params, context)
      return require('descartes.' .. where.module)[where.name](params, context)
    end
  end
  -- Neovim draws lenses when it is told to; this is the server's word that they have changed.
  found['workspace/codeLens/refresh'] = function(_, _, context)
    require('descartes.lenses').refresh_all(context.client_id)
    return vim.NIL
  end
  -- A history document is written anew at each step, and read again before it is shown.
  found['window/showDocument'] = function(err, params, context)
    local buffer = params.uri:match('/views/history%-[^/]*%.md$') and vim.uri_to_bufnr(params.uri)
    if buffer and vim.api.nvim_buf_is_loaded(buffer) then
      vim.cmd.checktime(buffer)
    end
    return vim.lsp.handlers['window/showDocument'](err, params, context)
  end
  if vim.fn.has('nvim-0.12') == 0 then
    found['workspace/inlayHint/refresh'] = function(_, _, context)
      refresh_hints(context.client_id)
      return vim.NIL
    end
  end
  return found
end

local function capabilities()
  local found = vim.lsp.protocol.make_client_capabilities()
  found.experimental = { descartes = { notifications = true } }
  found.workspace.codeLens = { refreshSupport = true }
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
  for _, map in ipairs({
    { 'n', 'e', 'eval-form', 'evaluate the top-level form' },
    { 'x', 'e', 'eval', 'evaluate the selected lines' },
    { 'n', 'x', 'eval-last', 'evaluate the form before the cursor' },
    { 'n', 'c', 'compile-form', 'compile the top-level form' },
    { 'n', 'k', 'compile-file', 'compile and load the file' },
    { 'n', 'd', 'debugger', 'show the debugger' },
    { 'n', 'i', 'interventions', 'answer a question' },
    { 'n', 'l', 'codelens', 'run a code lens of this line' },
    { 'n', 'o', 'output', 'show what the image printed' },
    { 'n', 'r', 'repl', 'go to the REPL' },
    { 'n', 'm', 'expand', 'expand the form once' },
    { 'n', 't', 'test-here', 'run the test' },
    { 'n', 'f', 'retry', 'retry the stopped form as corrected' },
  }) do
    local mode, keys, command, what = unpack(map)
    local run = mode == 'x' and ':' or '<Cmd>'
    vim.keymap.set(mode, '<LocalLeader>' .. keys, run .. 'Descartes ' .. command .. '<CR>', {
      buffer = buffer,
      silent = true,
      desc = 'Descartes: ' .. what,
    })
  end
end

--- Say once, in the person's terms, that the server has ended by itself.
local function on_exit(code, signal)
  vim.schedule(function()
    require('descartes.debugger').changed({ debuggers = {} })
    if vim.v.exiting == vim.NIL and (code ~= 0 or (signal ~= 0 and signal ~= 15)) then
      local log = vim.fn.fnamemodify(vim.lsp.get_log_path(), ':~')
      vim.notify(('Descartes: the server ended (%d); :edit starts it again; see %s'):format(code, log), vim.log.levels.ERROR)
    end
  end)
end

local function root_of(buffer)
  local file = vim.api.nvim_buf_get_name(buffer)
  local root = vim.fs.root(buffer, { 'descartes.toml', '.git', '.descartes' })
  return root or vim.fs.dirname(file ~= '' and file or vim.fs.joinpath(vim.uv.cwd(), 'x'))
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
  starting = vim.lsp.start({
    name = 'descartes',
    cmd = options.cmd,
    root_dir = root_of(buffer),
    capabilities = capabilities(),
    handlers = handlers(),
    commands = require('descartes.actions').commands(),
    settings = { descartes = options.settings },
    init_options = { trusted = options.trusted, settings = options.settings },
    on_attach = function(_, attached)
      require('descartes.lenses').follow(attached)
      if options.hints then
        vim.lsp.inlay_hint.enable(true, { bufnr = attached })
      end
    end,
    on_exit = on_exit,
  }, { bufnr = buffer })
  if options.keymaps then
    keymaps(buffer)
  end
end

--- Attach BUFFER, no Lisp, to the server of its workspace when one runs.
---@param buffer integer
function M.attach_if_running(buffer)
  local root = root_of(buffer)
  for _, client in ipairs(vim.lsp.get_clients({ name = 'descartes' })) do
    if client.config.root_dir == root then
      vim.lsp.buf_attach_client(buffer, client.id)
    end
  end
end

--- Return the server's client for BUFFER, or any of them.
---@param buffer? integer
---@return vim.lsp.Client?
function M.client(buffer)
  local here = vim.lsp.get_clients({ name = 'descartes', bufnr = buffer or 0 })[1]
  return here or vim.lsp.get_clients({ name = 'descartes' })[1]
end

--- Return the image's state in a few words, for a status line: "Lisp ready, 1 stopped".
---@return string
function M.status()
  local n_stops = #require('descartes.debugger').debuggers
  local stopped = n_stops > 0 and (', %d stopped'):format(n_stops) or ''
  local n_questions = #require('descartes.interventions').open
  local asked = n_questions > 0 and (', %d to answer'):format(n_questions) or ''
  return ('Lisp %s%s%s'):format(require('descartes.image').state.state, stopped, asked)
end

--- Call DO_IT when the server that is being started has answered.
local function when_started(do_it)
  vim.api.nvim_create_autocmd('LspAttach', {
    callback = function(event)
      if event.data.client_id == starting then
        do_it()
        return true
      end
    end,
  })
end

--- Ask for OPERATION with ARGUMENTS; DONE gets the result, FAILED an error, which is shown without it.
---@param operation string such as 'lisp.eval'
---@param arguments table
---@param done? fun(result: any)
---@param failed? fun(error: {message: string, data: any})
function M.call(operation, arguments, done, failed)
  local client = M.client()
  if not client and starting and vim.lsp.get_client_by_id(starting) then
    return when_started(function()
      M.call(operation, arguments, done, failed)
    end)
  elseif not client then
    return vim.notify('Descartes: open a Lisp file first', vim.log.levels.WARN)
  end
  local params = {
    command = 'descartes.' .. operation,
    arguments = { next(arguments) and arguments or vim.empty_dict() },
  }
  require('descartes.requests').send(client, 'workspace/executeCommand', params, function(err, result)
    if err and failed then
      failed(err)
    elseif err then
      vim.notify('Descartes: ' .. err.message, vim.log.levels.WARN)
    elseif done then
      done(result)
    end
  end)
end

return M
