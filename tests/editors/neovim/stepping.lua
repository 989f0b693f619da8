--- The debugger by its keys: steps, frames, breakpoints, signals. Part of the scenario.

---@param test table the harness
return function(test)
  local see, press, put_cursor, see_stops = test.see, test.press, test.put_cursor, test.see_stops

  vim.fn.writefile(vim.split([[
(defpackage :work (:use :cl))
(in-package :work)

(defun inner (n)
  (declare (optimize (debug 3)))
  (* n 2))

(defun outer (n)
  (declare (optimize (debug 3)))
  (let* ((a (inner n)) (b a))
    (setf a (max (inner b) a))
    (list b (inner (/ a 2)))))

(defun deep (n)
  (declare (optimize (debug 2)))
  (if (zerop n) (error "deep enough") (1+ (deep (1- n)))))

(defun picky (n)
  (declare (optimize (debug 2)))
  (if (evenp n) (error "~a is even" n) (* n 10)))

(defun warner (n)
  (warn "about ~a" n)
  n)

(outer 5)]], '\n'), vim.env.EDITOR_TEST_WORKSPACE .. '/work.lisp')

  local function panel_text()
    return test.text_of(require('descartes.debugger').buffer)
  end

  local function see_panel(text)
    see('the debugger with ' .. text, function()
      return panel_text():find(text, 1, true)
    end)
  end

  --- Go to the debugger of CODE, which is evaluated and stops, when what was stopped before is left.
  local function stop_in(code)
    see_stops(0)
    vim.cmd('Descartes eval ' .. code)
    see_stops(1)
    vim.cmd('Descartes debugger')
  end

  local function a_breakpoint_with_a_condition()
    vim.cmd('Descartes break outer (> n 3)')
    test.see_message('stops at WORK::OUTER when (> n 3)')
    vim.cmd('Descartes eval (outer 1)')
    test.see_message('⇒ (2 4)')
    stop_in('(outer 5)')
    see_panel('OUTER 5')
    press('c')
    test.see_message('⇒ (10 20)')
    test.choose('WORK::OUTER when (> n 3) (1 hits)')
    vim.cmd('Descartes clear-breakpoint')
    test.see_message('the breakpoint at WORK::OUTER when (> n 3) is gone')
    test.forget()
    vim.cmd('Descartes eval (outer 6)')
    test.see_message('⇒ (12 24)')
    vim.cmd('Descartes clear-breakpoint')
    test.see_message('there is no breakpoint')
  end

  local function steps()
    put_cursor('(inner n)')
    vim.cmd('Descartes break-here')
    test.see_message('stops at this form')
    stop_in('(outer 5)')
    see_panel('(inner n)')
    local row = vim.api.nvim_win_get_cursor(0)
    put_cursor('OUTER 5')
    press('<CR>')
    see_panel('n = 5')
    vim.api.nvim_win_set_cursor(0, row)
    press('s')
    see_panel('Next: (INNER N) with 5')
    assert(vim.api.nvim_get_current_buf() == require('descartes.debugger').buffer, 'the next key is for the debugger too')
    assert(vim.api.nvim_get_current_line():find('step', 1, true), 'the cursor is on the next stop of its thread')
    press('x')
    see_panel('Done: (INNER N) => 10')
    see_panel('n = 5')
    press('s')
    see_panel('Next: (* N 2)')
    press('o')
    see_panel('a = 20  was 10')
    press('o')
    test.see_message('⇒ (10 20)')
    see('the debugger to close', function()
      return #vim.fn.win_findbuf(require('descartes.debugger').buffer) == 0
    end)
    test.choose('work.lisp:10')
    vim.cmd('Descartes clear-breakpoint')
    test.see_message('the breakpoint at work.lisp:10 is gone')
  end

  local function frames()
    stop_in('(deep 2)')
    put_cursor('DEEP 0')
    test.answer_prompts('10')
    press('R')
    test.see_message('⇒ 12')
    stop_in('(picky 2)')
    put_cursor('PICKY 2')
    test.answer_prompts('3')
    press('A')
    test.see_message('⇒ 30')
    assert(test.prompts[#test.prompts].default == '2', vim.inspect(test.prompts))
    stop_in('(picky 4)')
    put_cursor('PICKY 4')
    press('D')
    test.see_message('compiled with full debug')
    press('a')
    see_stops(0)
  end

  local function more_frames()
    stop_in('(deep 90)')
    local before = vim.api.nvim_buf_line_count(0)
    put_cursor(' more', -5)
    press('<CR>')
    see('more frames', function()
      return vim.api.nvim_buf_line_count(0) > before + 20
    end)
    local row = vim.api.nvim_win_get_cursor(0)[1]
    assert(row >= before, 'the cursor goes on to what is left')
    local count = vim.api.nvim_buf_line_count(0)
    require('descartes').call('lisp.eval', {
      code = '(progn (sb-thread:make-thread (lambda () (error "another"))) 1)',
      ['repl'] = 'background',
    })
    see_stops(2)
    assert(vim.api.nvim_buf_line_count(0) > count, 'the frames that were asked for stay')
    press('a')
    see_stops(1)
    press('gg]]a')
    see_stops(0)
  end

  local function signals()
    vim.cmd('Descartes break-on-signals warning')
    test.see_message('stops on WARNING')
    stop_in('(warner 7)')
    see_panel('about 7')
    press('c')
    test.see_message('⇒ 7')
    vim.cmd('Descartes break-on-signals')
    test.see_message('stops on errors alone')
    test.forget()
    vim.cmd('Descartes eval (warner 8)')
    test.see_message('⇒ 8')
  end

  vim.cmd.edit(vim.env.EDITOR_TEST_WORKSPACE .. '/work.lisp')
  test.forget()
  vim.cmd('Descartes compile-file')
  test.see_message('compiled in')
  put_cursor('(outer 5)')
  test.each_from_here({ a_breakpoint_with_a_condition, steps, frames, more_frames, signals })
  vim.cmd.edit(vim.env.EDITOR_TEST_WORKSPACE .. '/shapes.lisp')
end
