;;; descartes.el --- A live Lisp image, agents and leases -*- lexical-binding: t -*-

;; Author: The Descartes developers
;; Version: 0.1.0
;; Package-Requires: ((emacs "28.1") (eglot "1.9"))
;; Keywords: lisp, languages, tools
;; URL: https://example.invalid/descartes
;; SPDX-License-Identifier: MIT

;;; Commentary:

;; Load this file and open a Lisp file: eglot starts the server `descartes lsp'.
;; Those who use lsp-mode load `descartes-lsp-mode' instead.
;;
;; Everything the standard methods carry is the LSP client's; this package adds
;; the debugger's buffer, code lenses, questions of runs, and commands.  It
;; decides nothing that the server can decide.
;;
;; `descartes-mode' has the keys, those of SLIME where it has them:
;;
;;   C-x C-e  evaluate the form before point   C-c C-c  compile the form
;;   C-M-x    evaluate the top-level form      C-c C-k  compile the file
;;   C-c C-r  evaluate the region              C-c C-l  load the file
;;   C-c C-b  interrupt                        C-c C-d  the debugger
;;   C-c C-v  run a code lens of this line     C-c C-q  answer a run's question
;;   C-c C-i  give the image what it reads     C-c C-o  what the image printed
;;   C-c C-z  the REPL                         C-c I    inspect
;;   C-c RET  expand the form once             C-c <    who calls
;;   C-c C-h  describe     C-c C-a  apropos    C-c M-t  trace     C-c T  the calls
;;   C-c C-y  load what has changed            C-c C-t  run the tests
;;
;; This file knows no LSP client: what it needs of one are the functions in
;; `descartes-connection-functions' and the three generic functions below,
;; which `descartes-eglot' and `descartes-lsp-mode' define.

;;; Code:

(require 'cl-lib)
(require 'seq)
(require 'subr-x)

(defgroup descartes nil
  "A live Lisp image, agents and leases."
  :group 'lisp
  :prefix "descartes-")

(defcustom descartes-command '("descartes" "lsp")
  "The server's command."
  :type '(repeat string))

(defcustom descartes-settings nil
  "Settings of the server as in descartes.toml, a property list.
For example (:lisp (:command [\"sbcl\"]))."
  :type 'plist)

(defcustom descartes-trusted nil
  "Whether every workspace opened here is trusted.
Otherwise the server asks once for each."
  :type 'boolean)

(defcustom descartes-auto-start t
  "Whether opening a Lisp file starts the server."
  :type 'boolean)

(defvar descartes-status '(:state "stopped")
  "The image's status as the server last said it.")

(defvar descartes-last-evaluation nil
  "The last evaluation that ended, as the server sent it.")

(defvar descartes--awaited nil
  "This editor's evaluations whose outcome was not shown yet, by id.")

(defvar descartes--shown nil
  "The id of the evaluation whose outcome was shown last.")

(defvar descartes-debuggers)
(defvar descartes-questions)
(declare-function descartes-debugger-update "descartes-debugger")
(declare-function descartes-debugger-show "descartes-debugger")
(declare-function descartes-debugger-invoke-with "descartes-stops")
(declare-function descartes-reply "descartes-asking")
(declare-function descartes-input-ended "descartes-asking")
(declare-function descartes-questions-update "descartes-questions")
(declare-function descartes-runs-changed "descartes-runs")
(declare-function descartes-lease-changed "descartes-runs")
(declare-function descartes-answer "descartes-questions")
(declare-function descartes-lens-run-here "descartes-lens")
(declare-function descartes-tests-progress "descartes-tests")

;;; What is needed of an LSP client

(defvar descartes-connection-functions nil
  "Functions that return the connection to this buffer's server, or to any, or nil.")

(cl-defgeneric descartes-request (connection method params done failed)
  "Send METHOD with PARAMS over CONNECTION.
DONE gets the result as property lists, FAILED the message and the data of
an error.")

(cl-defgeneric descartes-place (connection)
  "Return this buffer and point as `:uri' and `:position' for CONNECTION.
The server has seen all changes of the text when this returns.")

(cl-defgeneric descartes-visit (connection location)
  "Return the buffer and place of LOCATION, as CONNECTION counts, as a pair.")

(defun descartes-connection ()
  "Return this buffer's connection, else any; an error without one."
  (or (run-hook-with-args-until-success 'descartes-connection-functions)
      (user-error "Descartes: open a Lisp file first")))

;;; Asking the server

(defun descartes-call (operation arguments &optional done failed)
  "Ask for OPERATION with the property list ARGUMENTS; DONE gets the result.
FAILED gets the message and the data of an error, which is else shown as a
message.  Both are called in this buffer, if it is still there."
  (let* ((buffer (current-buffer))
         (back (lambda (function)
                 (lambda (&rest answer)
                   (when (and function (buffer-live-p buffer))
                     (with-current-buffer buffer (apply function answer)))))))
    (descartes-request
     (descartes-connection) :workspace/executeCommand
     (list :command (concat "descartes." operation)
           :arguments (vector (or arguments (make-hash-table))))
     (funcall back done)
     (funcall back (or failed (lambda (text &rest _) (message "Descartes: %s" text)))))))

(defun descartes-await (operation arguments &optional seconds)
  "Return the result of OPERATION with ARGUMENTS, or nil after SECONDS.
An error and the typing of the person give nil as well."
  (let ((end (+ (float-time) (or seconds 2)))
        (waiting t)
        result)
    (descartes-call operation arguments
                    (lambda (answer) (setq result answer waiting nil))
                    (lambda (&rest _) (setq waiting nil)))
    (while (and waiting (< (float-time) end) (not (input-pending-p)))
      (accept-process-output nil 0.02))
    result))

(defun descartes--here ()
  "Return this buffer's file and point as parameters."
  (descartes-place (descartes-connection)))

(defun descartes--file ()
  "Return this buffer's file as parameters."
  (list :uri (plist-get (descartes--here) :uri)))

(defun descartes-run-command (command)
  "Run COMMAND of a code lens or code action.
The server does all of them; here the arguments of a restart are asked
for, and a buffer is shown where the server would write a file."
  (let ((name (plist-get command :command))
        (params (seq-first (plist-get command :arguments))))
    (pcase name
      ("descartes.debugger.restart" (descartes-debugger-invoke-with params))
      ("descartes.debugger.list" (descartes-debugger-show))
      ("descartes.intervention.list" (call-interactively #'descartes-answer))
      (_ (descartes-call (string-remove-prefix "descartes." name) params)))))

;;; What the server says by itself

(defconst descartes-notifications
  '((descartes/lisp/status . descartes--status-changed)
    (descartes/lisp/output . descartes--output)
    (descartes/lisp/evaluated . descartes--evaluated)
    (descartes/lisp/inputEnded . descartes-input-ended)
    (descartes/lisp/tested . descartes-tests-progress)
    (descartes/debugger/changed . descartes--debuggers-changed)
    (descartes/lease/changed . descartes-lease-changed)
    (descartes/run/changed . descartes-runs-changed)
    (descartes/run/output . ignore)
    (descartes/intervention/changed . descartes--questions-changed)
    (descartes/event . ignore))
  "The server's own notifications and what takes their parameters.
What runs print and the log are read on request.  The server's own
requests are descartes/lisp/input, `descartes-input-wanted', and
descartes/secret/input, `descartes-secret-wanted'.")

(defun descartes--status-changed (status)
  "Keep STATUS for the mode line; say so when the image is lost."
  (when (and (equal (plist-get status :state) "lost")
             (not (equal (plist-get descartes-status :state) "lost")))
    (message "Descartes: the Lisp image is lost; M-x descartes-start makes a new one"))
  (setq descartes-status status)
  (force-mode-line-update t))

(defvar descartes-output-functions nil
  "Functions called with each descartes/lisp/output.
One that returns non-nil has shown it.")

(defun descartes--output (params)
  "Show the text of PARAMS: in the REPL it belongs to, else in the output buffer."
  (unless (run-hook-with-args-until-success 'descartes-output-functions params)
    (descartes--append-output params)))

(defun descartes--append-output (params)
  "Append the text of PARAMS to the output buffer."
  (with-current-buffer (get-buffer-create "*descartes-output*")
    (let ((following (= (point) (point-max))))
      (save-excursion
        (goto-char (point-max))
        (insert (plist-get params :text))
        (when (> (buffer-size) 4000000)
          (delete-region (point-min) (- (point-max) 2000000))))
      (when following
        (goto-char (point-max))
        (dolist (window (get-buffer-window-list nil nil t))
          (set-window-point window (point-max)))))))

(defvar descartes-evaluated-functions nil
  "Functions called with each evaluation that ended.")

(defun descartes--evaluated (evaluation)
  "Keep EVALUATION; show it when its outcome was awaited here."
  (setq descartes-last-evaluation evaluation)
  (run-hook-with-args 'descartes-evaluated-functions evaluation)
  (when (member (plist-get evaluation :id) descartes--awaited)
    (descartes-show-evaluation evaluation)))

(defun descartes--debuggers-changed (params)
  "Show the stops of PARAMS, without taking the focus."
  (descartes-debugger-update (append (plist-get params :debuggers) nil)))

(defun descartes--questions-changed (params)
  "Announce the questions of PARAMS."
  (descartes-questions-update (append (plist-get params :interventions) nil)))

;;; Commands

(defun descartes--outcome (evaluation)
  "Return what EVALUATION has come to."
  (let ((values (append (plist-get evaluation :values) nil)))
    (cond ((not (equal (plist-get evaluation :state) "done")) (plist-get evaluation :state))
          (values (string-join values "\n  "))
          (t "no values"))))

(defun descartes-show-evaluation (evaluation)
  "Show the outcome of EVALUATION in the echo area, once.
One that has not ended is shown when it has."
  (let ((id (plist-get evaluation :id)))
    (cond ((member (plist-get evaluation :state) '("running" "stopped"))
           (cl-pushnew id descartes--awaited :test #'equal))
          ((not (equal id descartes--shown))
           (setq descartes--awaited (delete id descartes--awaited)
                 descartes--shown id)
           (message "⇒ %s" (descartes--outcome evaluation))))))

(defun descartes--show-compilation (compilation)
  "Say how COMPILATION went; its notes are diagnostics already."
  (unless (equal (plist-get compilation :state) "stopped")
    (let ((n-notes (length (plist-get compilation :notes))))
      (message "⇒ %s in %d ms%s"
               (if (eq (plist-get compilation :success) t) "compiled" "failed")
               (plist-get compilation :durationMs)
               (if (zerop n-notes) "" (format ", %d note%s" n-notes (if (= n-notes 1) "" "s")))))))

(defun descartes--show-status (status)
  "Show STATUS of the image."
  (message "Lisp: %s%s" (plist-get status :state)
           (if (equal (plist-get status :state) "ready")
               (format " (%s %s, pid %s)" (plist-get status :implementation)
                       (plist-get status :version) (plist-get status :pid))
             "")))

(defun descartes-eval (code)
  "Evaluate CODE in the package of this place."
  (interactive "sEvaluate: ")
  (descartes-call "lisp.eval" (append (descartes--here) (list :code code)) #'descartes-show-evaluation))

(defun descartes-eval-region (start end)
  "Evaluate the text between START and END."
  (interactive "r")
  (descartes-eval (buffer-substring-no-properties start end)))

(defun descartes-eval-last ()
  "Evaluate the form before point."
  (interactive)
  (descartes-call "lisp.evalForm" (append (descartes--here) '(:scope "last")) #'descartes-show-evaluation))

(defun descartes-eval-form ()
  "Evaluate the top-level form around point."
  (interactive)
  (descartes-call "lisp.evalForm" (append (descartes--here) '(:scope "toplevel"))
                  #'descartes-show-evaluation))

(defun descartes-compile-form ()
  "Compile the top-level form around point."
  (interactive)
  (descartes-call "lisp.compileForm" (descartes--here) #'descartes--show-compilation))

(defun descartes-compile-file ()
  "Compile and load this file as it is in the buffer."
  (interactive)
  (descartes-call "lisp.compileFile" (descartes--file) #'descartes--show-compilation))

(defun descartes-load-file ()
  "Load the source of this file."
  (interactive)
  (descartes-call "lisp.loadFile" (descartes--file) #'descartes--show-compilation))

(defun descartes-interrupt ()
  "Stop in the debugger what this editor's newest evaluation does."
  (interactive)
  (descartes-call "lisp.interrupt" nil))

(defun descartes-start ()
  "Start the image."
  (interactive)
  (descartes-call "lisp.start" nil #'descartes--show-status))

(defun descartes-stop ()
  "End the image."
  (interactive)
  (descartes-call "lisp.stop" nil #'descartes--show-status))

(defun descartes-restart ()
  "End the image and start a fresh one."
  (interactive)
  (descartes-call "lisp.restart" nil #'descartes--show-status))

(defun descartes-show-output ()
  "Show what the image printed, beside the code."
  (interactive)
  (display-buffer (get-buffer-create "*descartes-output*")))

;;; The mode

(defvar descartes-mode-map
  (let ((map (make-sparse-keymap)))
    (define-key map (kbd "C-x C-e") #'descartes-eval-last)
    (define-key map (kbd "C-M-x") #'descartes-eval-form)
    (define-key map (kbd "C-c C-c") #'descartes-compile-form)
    (define-key map (kbd "C-c C-k") #'descartes-compile-file)
    (define-key map (kbd "C-c C-l") #'descartes-load-file)
    (define-key map (kbd "C-c C-r") #'descartes-eval-region)
    (define-key map (kbd "C-c C-b") #'descartes-interrupt)
    (define-key map (kbd "C-c C-d") #'descartes-debugger-show)
    (define-key map (kbd "C-c C-o") #'descartes-show-output)
    (define-key map (kbd "C-c C-q") #'descartes-answer)
    (define-key map (kbd "C-c C-i") #'descartes-reply)
    map)
  "Keys of `descartes-mode', those of SLIME where it has them.")

(defun descartes--mode-line ()
  "Return the image's state for the mode line."
  (let ((stops (length descartes-debuggers)) (questions (length descartes-questions)))
    (concat " Lisp[" (plist-get descartes-status :state)
            (if (zerop stops) "" (format ", %d stopped" stops))
            (if (zerop questions) "" (format ", %d to answer" questions))
            "]")))

;;;###autoload
(define-minor-mode descartes-mode
  "Keys and commands of Descartes in a Lisp buffer."
  :lighter (:eval (descartes--mode-line))
  :keymap descartes-mode-map)

(provide 'descartes)

(require 'descartes-asking)
(require 'descartes-debugger)
(require 'descartes-frames)
(require 'descartes-breakpoints)
(require 'descartes-questions)
(require 'descartes-runs)
(require 'descartes-repl)
(require 'descartes-frame-console)
(require 'descartes-inspector)
(require 'descartes-explore)
(require 'descartes-image)
(require 'descartes-profile)
(require 'descartes-tests)
(require 'descartes-test-list)
(require 'descartes-notes)
(require 'descartes-memory)
(require 'descartes-timeline)
(require 'descartes-replace)
(require 'descartes-settings)
(unless (featurep 'descartes-lsp-mode)
  (require 'descartes-eglot))

;;; descartes.el ends here
