;;; dap-mode-session.el --- A session of dap-mode, a debugger that nobody here wrote -*- lexical-binding: t -*-

;;; Code:

(load "lsp-mode-autoloads")
(require 'lsp-mode)
(require 'dap-mode)
(require 'dap-ui)
(require 'ert)

(setq lsp-session-file (expand-file-name "lsp-session" (getenv "DESCARTES_HOME"))
      dap-breakpoints-file (expand-file-name "dap-breakpoints" (getenv "DESCARTES_HOME"))
      dap-auto-show-output nil
      dap-output-buffer-filter nil)

(defmacro dap-test-see (what form)
  "Return the value of FORM once it is true; fail with WHAT after a minute."
  `(let ((deadline (+ (float-time) 60)) value)
     (while (not (or (setq value ,form) (> (float-time) deadline)))
       (accept-process-output nil 0.05))
     (or value (error "Not seen: %s" ,what))))

(defun dap-test-output ()
  "Return what the session has printed."
  (with-current-buffer (dap--debug-session-output-buffer (dap--cur-session)) (buffer-string)))

(defun dap-test-frames ()
  "Return the names of the frames that dap-mode shows."
  (let ((session (dap--cur-session)))
    (mapcar (lambda (frame) (gethash "name" frame))
            (gethash (dap--debug-session-thread-id session) (dap--debug-session-thread-stack-frames session)))))

(defun dap-test-locals ()
  "Return the variables of the frame that dap-mode shows, name and value."
  (let* ((session (dap--cur-session))
         (frame (gethash "id" (dap--debug-session-active-frame session)))
         (scopes (gethash "scopes" (dap-request session "scopes" :frameId frame)))
         (locals (gethash "variablesReference" (seq-elt scopes 0))))
    (mapcar (lambda (each) (cons (gethash "name" each) (gethash "value" each)))
            (gethash "variables" (dap-request session "variables" :variablesReference locals)))))

(ert-deftest a-session ()
  (find-file (expand-file-name "shapes.lisp" (getenv "EDITOR_TEST_WORKSPACE")))
  (dap-register-debug-provider
   "descartes" (lambda (conf) (plist-put conf :dap-server-path '("descartes" "dap"))))
  (goto-char (point-min))
  (search-forward "(restart-case")
  (dap-breakpoint-add)
  (dap-debug (list :type "descartes" :request "launch" :name "Lisp"
                   :load "shapes.lisp" :expression "(shapes:average '())"
                   :workspace (getenv "EDITOR_TEST_WORKSPACE")))
  (let ((session (dap-test-see "the session" (dap--cur-session))))
    ;; The last form of the file calls a function with a mistake in it.
    (dap-test-see "the unbound variable" (string-match-p "AREA 2 3" (format "%s" (dap-test-frames))))
    (dap-test-see "its frame" (dap--debug-session-active-frame session))
    (should (equal "2" (cdr (assoc "WIDTH" (dap-test-locals)))))
    (dap-request session "descartes/invokeRestart"
                 :threadId (dap--debug-session-thread-id session) :name "USE-VALUE" :arguments ["7"])
    (dap-test-see "the breakpoint" (string-match-p "AVERAGE" (format "%s" (dap-test-frames))))
    (should (equal "breakpoint" (gethash (dap--debug-session-thread-id session)
                                         (dap--debug-session-thread-states session))))
    (dap-continue session (dap--debug-session-thread-id session))
    (dap-test-see "the division"
                  (equal "exception" (gethash (dap--debug-session-thread-id session)
                                              (dap--debug-session-thread-states session))))
    (dap-request session "evaluate" :expression ",restart use-value 42" :context "repl")
    (dap-test-see "the value" (string-match-p "42" (dap-test-output)))
    (dap-disconnect session)
    (dap-test-see "the end" (not (process-live-p (dap--debug-session-proc session))))))

(provide 'dap-mode-session)
;;; dap-mode-session.el ends here
