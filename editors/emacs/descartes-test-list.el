;;; descartes-test-list.el --- Which tests there are -*- lexical-binding: t -*-

;; SPDX-License-Identifier: MIT

;;; Commentary:

;; `descartes-test-list', C-c M-l, shows the tests that the workspace's files
;; define, with what became of each when it was last run; no image is needed.
;;
;;   RET  go to the test     s  run all of its system
;;   t    run it             g  look again
;;   d    run it and stop where it fails

;;; Code:

(require 'descartes)
(require 'descartes-tests)

(defvar-local descartes-test-list--tests nil "The tests shown, as the server sent them.")
(defvar-local descartes-test-list--results nil "The last result of each test, by its name.")

(defvar descartes-test-list-mode-map
  (let ((map (make-sparse-keymap)))
    (set-keymap-parent map special-mode-map)
    (define-key map (kbd "RET") #'descartes-test-list-visit)
    (define-key map "t" #'descartes-test-list-run)
    (define-key map "d" #'descartes-test-list-debug)
    (define-key map "s" #'descartes-test-list-run-system)
    (define-key map "g" #'descartes-test-list)
    (define-key map "n" #'next-line)
    (define-key map "p" #'previous-line)
    map)
  "Keys of the list of tests.")

(define-derived-mode descartes-test-list-mode special-mode "Lisp-Test-List"
  "The tests of the workspace."
  (setq truncate-lines t
        header-line-format " RET go there · t run · d debug · s run its system · g look again"))

;;; Showing

(defun descartes-test-list--group (test)
  "Return what TEST is listed under: its system, else its file."
  (or (plist-get test :system) (file-name-nondirectory (plist-get test :uri))))

(defun descartes-test-list--mark (result)
  "Return a sign for RESULT, the last one of a test, or for none."
  (pcase (plist-get result :status)
    ("passed" (propertize "✓" 'face 'success))
    ("skipped" (propertize "-" 'face 'shadow))
    ("unknown" (propertize "?" 'face 'warning))
    ('nil (propertize "·" 'face 'shadow))
    (_ (propertize "✗" 'face 'error))))

(defun descartes-test-list--insert (test)
  "Insert TEST and what became of it."
  (let* ((result (gethash (plist-get test :name) descartes-test-list--results))
         (status (plist-get result :status)))
    (insert (propertize
             (format "  %s %-44s %s\n" (descartes-test-list--mark result) (plist-get test :name)
                     (propertize (cond ((null result) "not run yet")
                                       ((equal status "passed") (format "%s ms" (plist-get result :durationMs)))
                                       (t (concat status (descartes-test-list--why result))))
                                 'face (if (member status '("failed" "error")) 'error 'shadow)))
             'descartes-test test))))

(defun descartes-test-list--why (result)
  "Return why RESULT is what it is, on a line."
  (if-let ((text (plist-get result :message)))
      (concat ": " (string-join (split-string text "[\n ]+" t) " "))
    ""))

(defun descartes-test-list--counts (listed)
  "Return how many there are LISTED and did not pass, as text."
  (let* ((results (mapcar (lambda (each) (gethash (plist-get each :name) descartes-test-list--results)) listed))
         (failed (seq-count (lambda (each) (member (plist-get each :status) '("failed" "error"))) results)))
    (concat (format "  %d test%s" (length listed) (if (cdr listed) "s" ""))
            (if (zerop failed) "" (format ", %d failed" failed)))))

(defun descartes-test-list--render ()
  "Write the list into this buffer, with point on the line where it was."
  (let ((inhibit-read-only t) (line (line-number-at-pos)))
    (erase-buffer)
    (unless descartes-test-list--tests
      (insert (propertize "No file of the workspace defines a test\n" 'face 'shadow)))
    (pcase-dolist (`(,group . ,tests)
                   (seq-group-by #'descartes-test-list--group descartes-test-list--tests))
      (insert (propertize group 'face 'bold 'descartes-test (car tests))
              (propertize (descartes-test-list--counts tests) 'face 'shadow 'descartes-test (car tests)) "\n")
      (mapc #'descartes-test-list--insert tests))
    (goto-char (point-min))
    (forward-line (1- line))))

(defun descartes-test-list--buffer ()
  "Return the buffer with the list, or nil."
  (get-buffer "*descartes-test-list*"))

(defun descartes-test-list--take (results)
  "Keep RESULTS beside those known, in the buffer with the list."
  (seq-doseq (each results)
    (puthash (plist-get each :name) each descartes-test-list--results)))

(defun descartes-test-list--ran (outcome)
  "Mark what OUTCOME is about, if it is listed."
  (when-let ((buffer (descartes-test-list--buffer)))
    (with-current-buffer buffer
      (descartes-test-list--take (plist-get outcome :results))
      (descartes-test-list--render))))

(add-hook 'descartes-tests-functions #'descartes-test-list--ran)

(defun descartes-test-list--show (found results)
  "Show those FOUND with their last RESULTS."
  (with-current-buffer (get-buffer-create "*descartes-test-list*")
    (unless (derived-mode-p 'descartes-test-list-mode)
      (descartes-test-list-mode))
    (setq descartes-test-list--tests (append found nil)
          descartes-test-list--results (make-hash-table :test #'equal))
    (descartes-test-list--take results)
    (descartes-test-list--render)
    (display-buffer (current-buffer))))

(defun descartes-test-list ()
  "Show each test of the workspace and what became of it when it was last run."
  (interactive)
  (descartes-call "lisp.tests" nil
                  (lambda (found)
                    (descartes-call "lisp.testResults" nil
                                    (lambda (known)
                                      (descartes-test-list--show (plist-get found :tests)
                                                                 (plist-get known :results)))))))

;;; Acting

(defun descartes-test-list--at-point ()
  "Return the test at point."
  (or (get-text-property (line-beginning-position) 'descartes-test) (user-error "No test here")))

(defun descartes-test-list-visit ()
  "Go to the test at point."
  (interactive)
  (descartes--go-to (descartes-test-list--at-point)))

(defun descartes-test-list-run (&optional debug)
  "Run the test at point; with DEBUG, stop where it fails."
  (interactive "P")
  (let* ((test (descartes-test-list--at-point))
         (name (plist-get test :name))
         (more (when debug '(:debug t))))
    (if-let ((system (plist-get test :system)))
        (apply #'descartes-tests--run system :only (vector name) more)
      (descartes-call "lisp.runTest" (append (list :uri (plist-get test :uri) :name name) more)
                      #'descartes-tests--show))))

(defun descartes-test-list-debug ()
  "Run the test at point and stop where it fails."
  (interactive)
  (descartes-test-list-run t))

(defun descartes-test-list-run-system ()
  "Run each test of the system of the one at point."
  (interactive)
  (descartes-tests--run (or (plist-get (descartes-test-list--at-point) :system)
                            (user-error "This test belongs to no system; t runs it"))))

(define-key descartes-mode-map (kbd "C-c M-l") #'descartes-test-list)

(provide 'descartes-test-list)
;;; descartes-test-list.el ends here
