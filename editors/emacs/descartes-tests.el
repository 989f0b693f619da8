;;; descartes-tests.el --- Tests of a system -*- lexical-binding: t -*-

;; SPDX-License-Identifier: MIT

;;; Commentary:

;; Runs tests and shows their results; `C-c C-t' runs those of a system, `C-c M-c'
;; the one at point.  In the results:
;;
;;   RET  go to the test      r  run again those that failed
;;   g    run all again       d  run the test at point and stop where it fails
;;   l    the list of tests

;;; Code:

(require 'descartes)
(require 'descartes-explore)

(declare-function descartes-test-list "descartes-test-list")
(declare-function descartes--read-system "descartes-image")

(defvar descartes-tests-functions nil
  "Functions called with each outcome of tests, which may have some results only.")

(defvar-local descartes-tests--outcome nil "The results shown, as the server sent them.")

(defvar descartes-tests-mode-map
  (let ((map (make-sparse-keymap)))
    (set-keymap-parent map special-mode-map)
    (define-key map (kbd "RET") #'descartes-tests-visit)
    (define-key map "g" #'descartes-tests-again)
    (define-key map "r" #'descartes-tests-failed-again)
    (define-key map "d" #'descartes-tests-debug)
    (define-key map "n" #'forward-line)
    (define-key map "l" #'descartes-test-list)
    map)
  "Keys of the results.")

(define-derived-mode descartes-tests-mode special-mode "Lisp-Tests"
  "Results of tests."
  (setq truncate-lines t))

(defun descartes-tests--face (status)
  "Return the face of a result with STATUS."
  (pcase status ("passed" 'success) ("skipped" 'shadow) ("unknown" 'warning) (_ 'error)))

(defun descartes-tests--insert (result)
  "Insert RESULT."
  (let ((start (point)) (status (plist-get result :status)))
    (insert (propertize (format "%-8s" status) 'face (descartes-tests--face status))
            " " (plist-get result :name)
            (propertize (format "  %s ms" (plist-get result :durationMs)) 'face 'shadow) "\n")
    (when-let ((text (plist-get result :message)))
      (dolist (line (split-string (string-trim text) "\n"))
        (insert "         " line "\n")))
    (add-text-properties start (point) (list 'descartes-result result))))

(defun descartes-tests--counts (counts)
  "Return COUNTS as a line of text."
  (string-join (cl-loop for key in '(:passed :failed :error :skipped :unknown)
                        for count = (or (plist-get counts key) 0)
                        unless (and (zerop count) (not (eq key :passed)))
                        collect (format "%d %s" count (substring (symbol-name key) 1)))
               " · "))

(defun descartes-tests--state (outcome)
  "Return how far OUTCOME is, as a line of text."
  (pcase (plist-get outcome :state)
    ("done" (or (plist-get outcome :message) (descartes-tests--counts (plist-get outcome :counts))))
    ("stopped" (concat "stopped: " (plist-get (plist-get outcome :condition) :message)))
    (state state)))

(defun descartes-tests--render (outcome)
  "Write OUTCOME into the buffer of the results and return it."
  (with-current-buffer (get-buffer-create "*descartes-tests*")
    (unless (derived-mode-p 'descartes-tests-mode)
      (descartes-tests-mode))
    (setq descartes-tests--outcome outcome)
    (let ((inhibit-read-only t) (line (line-number-at-pos)))
      (erase-buffer)
      (insert (propertize (or (plist-get outcome :system) "Tests") 'face 'bold)
              (propertize (format "  %s\n" (or (plist-get outcome :framework) "")) 'face 'shadow)
              (descartes-tests--state outcome) "\n\n")
      (seq-doseq (each (seq-sort-by (lambda (each) (if (equal (plist-get each :status) "passed") 1 0)) #'<
                                    (plist-get outcome :results)))
        (descartes-tests--insert each))
      (goto-char (point-min))
      (forward-line (1- line)))
    (current-buffer)))

(defun descartes-tests--show (outcome)
  "Show OUTCOME of a run without taking the focus."
  (run-hook-with-args 'descartes-tests-functions outcome)
  (let ((buffer (descartes-tests--render outcome)))
    (unless (get-buffer-window buffer)
      (display-buffer buffer)))
  (message "Tests: %s" (descartes-tests--state outcome)))

(defun descartes-tests--merged (old new)
  "Return the results OLD with those of NEW in their places or behind them."
  (let ((names (mapcar (lambda (each) (plist-get each :name)) new)))
    (append (seq-remove (lambda (each) (member (plist-get each :name) names)) old) new)))

(defun descartes-tests-progress (outcome)
  "Take in OUTCOME, which has the results that are new, if its run is shown."
  (run-hook-with-args 'descartes-tests-functions outcome)
  (when-let ((buffer (get-buffer "*descartes-tests*")))
    (let ((shown (buffer-local-value 'descartes-tests--outcome buffer)))
      (when (equal (plist-get shown :evaluation) (plist-get outcome :evaluation))
        (let ((merged (copy-sequence outcome)))
          (descartes-tests--render
           (plist-put merged :results (descartes-tests--merged (append (plist-get shown :results) nil)
                                                               (append (plist-get outcome :results) nil)))))))))

(defun descartes-tests--run (system &rest more)
  "Run all of SYSTEM; MORE are further parameters."
  (message "Tests of %s …" system)
  (descartes-call "lisp.testSystem" (append (list :system system) more) #'descartes-tests--show))

(defun descartes-test-system (system)
  "Run each test of SYSTEM."
  (interactive (descartes--read-system "Tests of the system: "))
  (descartes-tests--run system))

(defun descartes-test-here (&optional debug)
  "Run the test at point; with DEBUG, stop where it fails."
  (interactive "P")
  (descartes-call "lisp.runTest" (append (descartes--here) (when debug '(:debug t))) #'descartes-tests--show))

(defun descartes-tests--result ()
  "Return the result at point."
  (or (get-text-property (point) 'descartes-result) (user-error "No test here")))

(defun descartes-tests-visit ()
  "Go to the test at point."
  (interactive)
  (descartes--go-to (plist-get (descartes-tests--result) :location)))

(defun descartes-tests-again ()
  "Run all of them again."
  (interactive)
  (descartes-tests--run (plist-get descartes-tests--outcome :system)))

(defun descartes-tests-failed-again ()
  "Run those again that did not pass."
  (interactive)
  (let ((names (cl-loop for each across (vconcat (plist-get descartes-tests--outcome :results))
                        unless (member (plist-get each :status) '("passed" "skipped"))
                        collect (plist-get each :name))))
    (unless names
      (user-error "All passed"))
    (descartes-tests--run (plist-get descartes-tests--outcome :system) :only (vconcat names))))

(defun descartes-tests-debug ()
  "Run the test at point and stop where it fails."
  (interactive)
  (descartes-tests--run (plist-get descartes-tests--outcome :system)
                        :only (vector (plist-get (descartes-tests--result) :name)) :debug t))

(define-key descartes-mode-map (kbd "C-c C-t") #'descartes-test-system)
(define-key descartes-mode-map (kbd "C-c M-c") #'descartes-test-here)

(provide 'descartes-tests)
;;; descartes-tests.el ends here
