;;; descartes-explore.el --- Looking around in the image -*- lexical-binding: t -*-

;; SPDX-License-Identifier: MIT

;;; Commentary:

;; Expansions, descriptions, machine code, who calls what, threads, and traces as
;; trees of calls.  The keys are those of `descartes-mode'; `descartes-threads'
;; and some others are called by name.

;;; Code:

(require 'descartes)
(require 'pulse)
(require 'tabulated-list)

(defun descartes--go-to (location)
  "Show LOCATION in another window."
  (unless location
    (user-error "No source is known here"))
  (pcase-let* ((`(,buffer . ,place) (descartes-visit (descartes-connection) location))
               (window (display-buffer buffer '(nil (inhibit-same-window . t)))))
    (with-selected-window window
      (goto-char place)
      (pulse-momentary-highlight-one-line place))))

(defun descartes--symbol-here ()
  "Return the symbol at point, or nil."
  (let ((text (thing-at-point 'symbol t)))
    (and text (substring-no-properties text))))

(defun descartes--read-symbol (prompt)
  "Ask for a symbol with PROMPT; by default the one at point."
  (let ((here (descartes--symbol-here)))
    (list (read-string (if here (format "%s (%s): " prompt here) (concat prompt ": ")) nil nil here))))

(defun descartes--of-symbol (symbol &rest more)
  "Return parameters that name SYMBOL as written here, and MORE."
  (append (list :symbol symbol) (when (derived-mode-p 'lisp-mode) (descartes--here)) more))

(defvar descartes-text-mode-map
  (let ((map (make-sparse-keymap)))
    (set-keymap-parent map special-mode-map)
    (define-key map (kbd "RET") #'descartes-expand-here)
    map)
  "Keys of a buffer that shows an answer as text.")

(define-derived-mode descartes-text-mode special-mode "Lisp-View"
  "An answer of the image.")

(defun descartes--show-text (title text &optional lisp)
  "Show TEXT in a buffer called after TITLE; as code, if LISP."
  (with-current-buffer (get-buffer-create (format "*descartes-%s*" title))
    (let ((inhibit-read-only t))
      (erase-buffer)
      (insert text)
      (goto-char (point-min))
      (if lisp
          (progn (delay-mode-hooks (let ((descartes-auto-start nil)) (lisp-mode)))
                 (font-lock-ensure)
                 (use-local-map (make-composed-keymap descartes-text-mode-map lisp-mode-map))
                 (setq buffer-read-only t))
        (descartes-text-mode)))
    (display-buffer (current-buffer))))

;;; Texts

(defun descartes-describe (symbol)
  "Show what the image knows of SYMBOL."
  (interactive (descartes--read-symbol "Describe"))
  (descartes-call "lisp.describe" (descartes--of-symbol symbol)
                  (lambda (answer) (descartes--show-text "description" (plist-get answer :text)))))

(defun descartes-disassemble (symbol)
  "Show the machine code of the function SYMBOL."
  (interactive (descartes--read-symbol "Disassemble"))
  (descartes-call "lisp.disassemble" (descartes--of-symbol symbol)
                  (lambda (answer) (descartes--show-text "disassembly" (plist-get answer :text)))))

(defun descartes--expand (params mode)
  "Expand what PARAMS name in MODE, and show it."
  (descartes-call "lisp.macroexpand" (append params (list :mode mode))
                  (lambda (answer)
                    (if (eq (plist-get answer :expanded) t)
                        (descartes--show-text "expansion" (plist-get answer :text) t)
                      (message "Descartes: this form is no call of a macro")))))

(defun descartes-expand-once ()
  "Expand the form at point once; RET there expands a form inside."
  (interactive)
  (descartes--expand (descartes--here) "1"))

(defun descartes-expand-all ()
  "Expand the form at point and everything inside it."
  (interactive)
  (descartes--expand (descartes--here) "all"))

(defun descartes-expand-compiler-macro ()
  "Expand the form at point by its compiler macro."
  (interactive)
  (descartes--expand (descartes--here) "compiler"))

(defun descartes-expand-here ()
  "Expand the form at point of an expansion, in its place."
  (interactive)
  (let* ((bounds (or (bounds-of-thing-at-point 'sexp) (user-error "No form here")))
         (start (car bounds)) (end (copy-marker (cdr bounds)))
         (code (buffer-substring-no-properties start (cdr bounds))))
    (descartes-call "lisp.macroexpand" (list :code code :mode "1")
                    (lambda (answer)
                      (if (not (eq (plist-get answer :expanded) t))
                          (message "Descartes: this form is no call of a macro")
                        (let ((inhibit-read-only t))
                          (delete-region start end)
                          (goto-char start)
                          (insert (plist-get answer :text))
                          (indent-region start (point))
                          (goto-char start)))))))

;;; Tables

(defvar-local descartes-table--act nil "What RET does with the entry at point.")
(defvar-local descartes-table--again nil "What fetches the entries anew.")

(defvar descartes-table-mode-map
  (let ((map (make-sparse-keymap)))
    (set-keymap-parent map tabulated-list-mode-map)
    (define-key map (kbd "RET") #'descartes-table-act)
    (define-key map "g" #'descartes-table-refresh)
    (define-key map "k" #'descartes-table-kill-thread)
    map)
  "Keys of a table.")

(define-derived-mode descartes-table-mode tabulated-list-mode "Lisp-Table"
  "A table of what the image has.")

(defun descartes-table-act ()
  "Do what is usual with the entry at point."
  (interactive)
  (when descartes-table--act
    (funcall descartes-table--act (tabulated-list-get-id))))

(defun descartes-table-refresh ()
  "Fetch the entries anew."
  (interactive)
  (when descartes-table--again (funcall descartes-table--again)))

(defun descartes--text (value)
  "Return VALUE as the text of a table's cell."
  (cond ((null value) "") ((stringp value) value) (t (format "%s" value))))

(defun descartes--show-table (title columns entries act &optional again)
  "Show ENTRIES, plists, under COLUMNS in a buffer called after TITLE.
COLUMNS are lists of name, width and key.  ACT gets the entry on which RET is
pressed; AGAIN fetches them anew."
  (with-current-buffer (get-buffer-create (format "*descartes-%s*" title))
    (descartes-table-mode)
    (setq descartes-table--act act
          descartes-table--again again
          tabulated-list-format (vconcat (mapcar (lambda (each) (list (nth 0 each) (nth 1 each) t)) columns))
          tabulated-list-entries
          (mapcar (lambda (entry)
                    (list entry
                          (vconcat (mapcar (lambda (each)
                                             (car (split-string (descartes--text (plist-get entry (nth 2 each)))
                                                                "\n")))
                                           columns))))
                  entries))
    (tabulated-list-init-header)
    (tabulated-list-print t)
    (display-buffer (current-buffer))))

(defun descartes-apropos (text)
  "Show the symbols whose name has TEXT in it."
  (interactive "sApropos: ")
  (descartes-call "lisp.apropos" (list :text text)
                  (lambda (answer)
                    (descartes--show-table "apropos" '(("Symbol" 44 :name) ("Kind" 14 :kind) ("Arguments" 40 :arglist))
                                           (plist-get answer :symbols)
                                           (lambda (entry) (descartes-describe (plist-get entry :name)))))))

(defun descartes-threads ()
  "Show the threads of the image; k ends one."
  (interactive)
  (descartes-call "lisp.threads" nil
                  (lambda (answer)
                    (descartes--show-table "threads" '(("Id" 8 :id) ("Name" 34 :name) ("State" 12 :state)
                                                       ("Evaluation" 14 :evaluation))
                                           (plist-get answer :threads)
                                           (lambda (entry)
                                             (descartes-call "lisp.interrupt"
                                                             (list :thread (plist-get entry :id))))
                                           #'descartes-threads))))

(defun descartes-table-kill-thread ()
  "End the thread at point, after asking."
  (interactive)
  (let ((entry (tabulated-list-get-id)))
    (unless (plist-member entry :state)
      (user-error "No thread here"))
    (when (yes-or-no-p (format "End the thread %s? " (plist-get entry :name)))
      (descartes-call "lisp.killThread" (list :thread (plist-get entry :id))
                      (lambda (_) (descartes-table-refresh))))))

(defun descartes--show-places (title locations)
  "Show LOCATIONS in a table called TITLE; RET is for going there."
  (let ((entries (mapcar (lambda (each)
                           (let ((start (plist-get (plist-get each :range) :start)))
                             (append (list :file (file-name-nondirectory (plist-get each :uri))
                                           :line (number-to-string (1+ (plist-get start :line))))
                                     each)))
                         locations)))
    (if (null entries)
        (message "Descartes: none is known")
      (descartes--show-table title '(("File" 30 :file) ("Line" 8 :line) ("Definition" 40 :name))
                             entries #'descartes--go-to))))

(defun descartes-who (kind symbol)
  "Show the places that stand in the relation KIND to SYMBOL."
  (interactive (cons (completing-read "Who: " '("callers" "callees" "references" "binds" "sets" "macroexpands"
                                                "specializes")
                                      nil t nil nil "callers")
                     (descartes--read-symbol "Symbol")))
  (descartes-call "lisp.xref" (descartes--of-symbol symbol :kind kind)
                  (lambda (answer) (descartes--show-places "xref" (append (plist-get answer :locations) nil)))))

;;; Traces

(defun descartes-trace (symbol)
  "Trace the function SYMBOL, or stop tracing it."
  (interactive (descartes--read-symbol "Trace or stop tracing"))
  (descartes-call "lisp.trace" (descartes--of-symbol symbol)
                  (lambda (answer)
                    (message "Traced: %s"
                             (if-let ((names (append (plist-get answer :traced) nil)))
                                 (string-join names ", ")
                               "nothing")))))

(defun descartes-untrace-all ()
  "Trace nothing any more."
  (interactive)
  (descartes-call "lisp.untraceAll" nil (lambda (_) (message "Traced: nothing"))))

(defvar descartes-trace-mode-map
  (let ((map (make-sparse-keymap)))
    (set-keymap-parent map special-mode-map)
    (define-key map (kbd "RET") #'push-button)
    (define-key map (kbd "TAB") #'forward-button)
    (define-key map "g" #'descartes-trace-tree)
    map)
  "Keys of the tree of traced calls.")

(define-derived-mode descartes-trace-mode special-mode "Lisp-Trace"
  "The calls of traced functions as a tree."
  (setq truncate-lines t))

(defun descartes-trace--button (text call key index)
  "Insert TEXT as a button that inspects what KEY and INDEX name of CALL."
  (insert-text-button text 'follow-link t 'face 'descartes-restart 'help-echo "inspect this object"
                      'action (lambda (_) (descartes-inspector--open
                                           (list :call (plist-get call :id) key index)))))

(defun descartes-trace--insert (call indentation)
  "Insert CALL and those it made, behind INDENTATION."
  (insert indentation (propertize (concat "(" (plist-get call :name)) 'face 'font-lock-function-name-face))
  (let ((index -1))
    (seq-doseq (text (plist-get call :arguments))
      (insert " ")
      (descartes-trace--button text call :argument (setq index (1+ index)))))
  (insert (propertize ")" 'face 'font-lock-function-name-face))
  (pcase (plist-get call :exit)
    ("normal" (insert (propertize " ⇒" 'face 'shadow))
     (let ((index -1))
       (seq-doseq (text (plist-get call :values))
         (insert " ")
         (descartes-trace--button text call :value (setq index (1+ index))))))
    ("nonlocal" (insert (propertize " left without a value" 'face 'error)))
    (_ (insert (propertize " runs" 'face 'warning))))
  (insert (propertize (format "  %.1f ms\n" (plist-get call :durationMs)) 'face 'shadow))
  (seq-doseq (each (plist-get call :calls))
    (descartes-trace--insert each (concat indentation "  "))))

(declare-function descartes-inspector--open "descartes-inspector")

(defun descartes-trace-tree ()
  "Show what traced functions were called with as a tree.
Every argument and value can be inspected."
  (interactive)
  (descartes-call "lisp.traceTree" nil
                  (lambda (tree)
                    (with-current-buffer (get-buffer-create "*descartes-trace*")
                      (descartes-trace-mode)
                      (let ((inhibit-read-only t))
                        (erase-buffer)
                        (insert (propertize (format "Traced: %s\n\n"
                                                    (or (string-join (plist-get tree :traced) ", ") "nothing"))
                                            'face 'bold))
                        (when (seq-empty-p (plist-get tree :calls))
                          (insert (propertize "No call yet\n" 'face 'shadow)))
                        (seq-doseq (each (plist-get tree :calls))
                          (descartes-trace--insert each "")))
                      (goto-char (point-min))
                      (display-buffer (current-buffer))))))

;;; Definitions that go

(defun descartes-undefine (symbol)
  "Take the definition of SYMBOL out of the image."
  (interactive (descartes--read-symbol "Undefine"))
  (descartes-call "lisp.undefine" (descartes--of-symbol symbol)
                  (lambda (answer) (message "%s is no %s any more" (plist-get answer :name)
                                            (or (plist-get answer :kind) "definition")))))

(defun descartes-unintern (symbol)
  "Take SYMBOL out of its package."
  (interactive (descartes--read-symbol "Unintern"))
  (descartes-call "lisp.unintern" (descartes--of-symbol symbol)
                  (lambda (answer) (message "%s is out of %s" (plist-get answer :name)
                                            (plist-get answer :package)))))

(let ((map descartes-mode-map))
  (define-key map (kbd "C-c RET") #'descartes-expand-once)
  (define-key map (kbd "C-c M-m") #'descartes-expand-all)
  (define-key map (kbd "C-c M-t") #'descartes-trace)
  (define-key map (kbd "C-c T") #'descartes-trace-tree)
  (define-key map (kbd "C-c M-d") #'descartes-disassemble)
  (define-key map (kbd "C-c C-h") #'descartes-describe)
  (define-key map (kbd "C-c C-a") #'descartes-apropos)
  (define-key map (kbd "C-c <") #'descartes-who-calls)
  (define-key map (kbd "C-c W") #'descartes-who)
  (define-key map (kbd "C-c C-u") #'descartes-undefine))

(defun descartes-who-calls (symbol)
  "Show the callers of SYMBOL."
  (interactive (descartes--read-symbol "Who calls"))
  (descartes-who "callers" symbol))

(provide 'descartes-explore)
;;; descartes-explore.el ends here
