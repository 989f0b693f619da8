--- What the image is made of: drift, systems, tests, profiles, the journal, another image. In a Neovim of its own.
local test = dofile(debug.getinfo(1, 'S').source:match('^@(.*)/') .. '/harness.lua')
local see, press, put_cursor, see_in, go_to = test.see, test.press, test.put_cursor, test.see_in, test.go_to
local workspace = vim.env.EDITOR_TEST_WORKSPACE

local function write(name, text)
  vim.fn.writefile(vim.split(text, '\n'), workspace .. '/' .. name)
end

write('checks.asd', '(defsystem "checks" :depends-on ("fiveam") :components ((:file "checks")))')
write('checks.lisp', [[
(defpackage :checks (:use :cl :fiveam))
(in-package :checks)

(defun twice (n)
  (* 2 n))

(test adds (is (= 4 (twice 2))))
(test fails (is (= 5 (twice 2))))]])

local function quickfix(text)
  return see('the quickfix list with ' .. text, function()
    for _, item in ipairs(vim.fn.getqflist()) do
      if item.text:find(text, 1, true) then
        return item
      end
    end
  end)
end

local function systems()
  test.choose('checks')
  vim.cmd('Descartes load-system')
  test.see_message('compiled in')
  test.forget()
  vim.cmd('Descartes compile-system checks')
  test.see_message('compiled in')
  test.forget()
  vim.cmd('Descartes reload-system checks')
  test.see_message('compiled in')
end

local function drift()
  put_cursor('(* 2 n)')
  vim.api.nvim_set_current_line('  (* 2 n 1))')
  vim.cmd('Descartes drift')
  local item = quickfix('changed: function')
  assert(item.lnum == 4 and item.text:lower():find('twice', 1, true), vim.inspect(item))
  vim.cmd.cclose()
  vim.cmd('Descartes load-changed')
  test.see_message('compiled in')
  vim.cmd('Descartes drift')
  test.see_message('The image has everything as it stands')
  vim.cmd.write()
end

local function tests()
  vim.cmd('Descartes tests')
  see_in('test-list', '· checks::adds')
  go_to('test-list')
  put_cursor('checks::adds')
  press('r')
  see_in('test-list', '✓ checks::adds')
  test.see_message('Tests: 1 passed')
  put_cursor('checks::fails')
  press('R')
  see_in('test-list', '✗ checks::fails')
  see_in('test-list', 'TWICE 2')
  press('<CR>')
  assert(vim.api.nvim_get_current_line():find('test fails', 1, true), vim.api.nvim_get_current_line())
  vim.cmd('Descartes tests checks')
  see_in('test-list', '✗ checks::fails')
end

local function profile()
  local opened
  vim.ui.open = function(path)
    opened = path
  end
  vim.cmd('Descartes profile (loop with x = 0 repeat 30000000 do (setf x (mod (+ x 7) 13)) finally (return :counted))')
  see_in('profile', 'samples of processor time')
  test.see_message('⇒ :COUNTED')
  go_to('profile')
  press('o')
  assert(opened:match('%.svg$') and vim.fn.filereadable(opened) == 1, opened)
  press('t')
  assert(vim.api.nvim_buf_get_name(0):match('%.txt$'), 'the report is shown')
  vim.cmd('buffer checks.lisp')
  test.choose('time')
  vim.cmd('Descartes profile-start')
  test.see_message('profiling time on the clock')
  vim.cmd('Descartes eval (sleep 0.1)')
  test.see_message('⇒ NIL')
  vim.cmd('Descartes profile-stop')
  see_in('profile', 'samples of time on the clock')
end

local function journal()
  vim.api.nvim_win_set_cursor(0, { 1, 0 })
  vim.cmd('Descartes eval (defvar *kept* 41)')
  test.see_message('⇒ *KEPT*')
  vim.cmd('Descartes eval (error "never")')
  test.see_stops(1)
  vim.cmd('Descartes debugger')
  press('a')
  test.see_message('⇒ aborted')
  vim.cmd('Descartes journal')
  local buffer = see_in('journal', '(error "never")')
  assert(test.text_of(buffer):find('load', 1, true) and test.text_of(buffer):find('aborted', 1, true), test.text_of(buffer))
  vim.cmd('Descartes compare')
  local compared = see('the comparison', function()
    local found = vim.fn.bufnr('descartes://comparison')
    return found > 0 and test.text_of(found) ~= '' and test.text_of(found)
  end)
  assert(not compared:lower():find('twice', 1, true) and not compared:lower():find('*kept*', 1, true), compared)
  vim.cmd('Descartes eval (incf *kept*)')
  test.see_message('⇒ 42')
  vim.cmd('Descartes replay')
  see_in('replay', 'never')
  test.see_message(' skipped 1')
  vim.cmd('Descartes eval (list :kept *kept*)')
  test.see_message('⇒ (:KEPT 42)')
end

local function another_image()
  vim.cmd('Descartes connect nonsense')
  test.see_message('expected a host and a port')
  vim.cmd('Descartes disconnect')
  test.see_message('was not connected to')
  test.choose('yes')
  vim.cmd('Descartes connect 127.0.0.1 ' .. vim.env.EDITOR_TEST_SWANK)
  test.see_message('Lisp: ready')
  vim.cmd('Descartes eval (boundp (quote cl-user::*kept*))')
  test.see_message('⇒ NIL')
  vim.cmd('Descartes disconnect')
  test.see_message('Lisp: stopped')
end

test.run(function()
  test.start('checks.lisp')
  test.each_from_here({ systems, drift, tests, profile, journal, another_image })
end)
