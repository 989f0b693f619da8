;;; descartes-repl.el --- A read-eval-print loop -*- lexical-binding: t -*-

;; SPDX-License-Identifier: MIT

;;; Commentary:

;; A buffer in which one types to the image.  There may be several, each with
;; its own package, history of values and queue.  What an evaluation prints
;; appears in the REPL that asked for it, whenever it prints it.
;;
;; Every value is a button that opens the inspector, and has a name: `#v3' is
;; the first value of the third result, `#v3:1' its second.
;;
;;   RET      evaluate, or a new line while the form is not complete
;;   M-p M-n  inputs before and after        C-c C-c  stop what runs
;;   TAB      complete                       C-c C-o  hide the last output
;;   C-c M-p  another package                C-c C-z  back to the code

;;; Code:

(require 'descartes)
(require 'descartes-repl-text)
(require 'comint)
(require 'lisp-mode)

(defconst descartes-repl-known-after-ms 200
  "After this time an evaluation is known by its id.
From then on its output is shown as it comes.")

(defvar-local descartes-repl-name nil "The name of this REPL; nil for a console in a frame.")
(defvar-local descartes-repl--asks nil
  "The operation that evaluates what is typed, and its parameters.")
(defvar-local descartes-repl--shown nil "Evaluations that have not ended and the characters shown of each.")
(defvar-local descartes-repl--origin nil "The buffer from which this REPL was opened.")

(defvar descartes-repl--early nil
  "Output of evaluations nobody has claimed yet, an alist of at most 20.")

(defvar descartes-repl-mode-map
  (let ((map (make-sparse-keymap)))
    (set-keymap-parent map comint-mode-map)
    (define-key map (kbd "RET") #'descartes-repl-return)
    (define-key map (kbd "C-j") #'newline-and-indent)
    (define-key map (kbd "TAB") #'completion-at-point)
    (define-key map (kbd "C-c C-c") #'descartes-repl-interrupt)
    (define-key map (kbd "C-c M-p") #'descartes-repl-set-package)
    (define-key map (kbd "C-c C-z") #'descartes-repl-back)
    (define-key map (kbd "C-c C-d") #'descartes-debugger-show)
    (define-key map (kbd "C-c C-i") #'descartes-reply)
    map)
  "Keys of a REPL.")

(define-derived-mode descartes-repl-mode comint-mode "Lisp-REPL"
  "A read-eval-print loop in the live image."
  :syntax-table lisp-mode-syntax-table
  (setq comint-prompt-regexp "^[^> \n]+> "
        comint-input-sender #'descartes-repl--send
        comint-prompt-read-only t
        comint-process-echoes nil
        comint-input-ring-size 500
        comint-buffer-maximum-size most-positive-fixnum
        mode-line-process '(:eval (if descartes-repl--running " running" "")))
  (setq-local comint-highlight-input nil
              indent-line-function #'lisp-indent-line
              lisp-indent-function #'common-lisp-indent-function)
  (add-hook 'completion-at-point-functions #'descartes-repl-complete nil t)
  (add-hook 'kill-buffer-hook #'descartes-repl--forget nil t))

;;; Opening

(defun descartes-repl--buffer-name (name)
  "Return the name of the buffer of the REPL NAME."
  (if (equal name "main") "*descartes-repl*" (format "*descartes-repl: %s*" name)))

(defun descartes-repl--make (buffer-name asks origin &optional prompt)
  "Return a new REPL in the buffer BUFFER-NAME, opened from the buffer ORIGIN.
ASKS is the operation that evaluates what is typed, and its parameters;
PROMPT stands there instead of the package."
  (with-current-buffer (get-buffer-create buffer-name)
    (descartes-repl-mode)
    (setq descartes-repl--asks asks
          descartes-repl--prompt-text prompt
          descartes-repl--origin origin
          default-directory (buffer-local-value 'default-directory origin))
    ;; comint wants a process; nothing is ever written to this one.
    (let ((process (make-pipe-process :name "descartes-repl" :buffer (current-buffer) :noquery t)))
      (set-marker (process-mark process) (point-max)))
    (descartes-repl--prompt)
    (current-buffer)))

(defun descartes-repl--open (name origin)
  "Return a new REPL called NAME, opened from the buffer ORIGIN."
  (with-current-buffer (descartes-repl--make (descartes-repl--buffer-name name)
                                             (list "lisp.eval" :repl name
                                                   :timeoutMs descartes-repl-known-after-ms)
                                             origin)
    (setq descartes-repl-name name)
    (descartes-call "lisp.replHistory" (list :repl name :limit 200) #'descartes-repl--remember #'ignore)
    (current-buffer)))

(defun descartes-repl--remember (history)
  "Put the inputs of HISTORY, the newest first, behind those typed here."
  (let ((inputs (mapcar (lambda (each) (plist-get each :code)) (plist-get history :inputs))))
    (dolist (input (reverse inputs))
      (comint-add-to-input-history input))))

;;;###autoload
(defun descartes-repl (&optional name)
  "Show the REPL NAME and go there; with a prefix argument ask for the name."
  (interactive (list (if current-prefix-arg (read-string "Name of the REPL: ") "main")))
  (let* ((name (or name "main"))
         (origin (current-buffer))
         (buffer (get-buffer (descartes-repl--buffer-name name))))
    (unless (and buffer (get-buffer-process buffer))
      (setq buffer (descartes-repl--open name origin)))
    (with-current-buffer buffer
      (unless (eq origin buffer) (setq descartes-repl--origin origin)))
    (pop-to-buffer buffer)
    (goto-char (point-max))))

(defun descartes-repl-back ()
  "Go back to the code."
  (interactive)
  (if (buffer-live-p descartes-repl--origin)
      (pop-to-buffer descartes-repl--origin)
    (user-error "The buffer this REPL was opened from is gone")))

(defun descartes-repl--all ()
  "Return all REPLs."
  (seq-filter (lambda (each) (eq (buffer-local-value 'major-mode each) 'descartes-repl-mode)) (buffer-list)))

;;; Evaluating

(defun descartes-repl--complete-p (text)
  "Return non-nil when no form of TEXT is left open."
  (with-temp-buffer
    (set-syntax-table lisp-mode-syntax-table)
    (insert text)
    (let ((state (syntax-ppss (point-max))))
      (and (<= (car state) 0) (not (nth 3 state)) (not (nth 4 state))))))

(defun descartes-repl-return ()
  "Evaluate what was typed, or begin a new line when its form is not complete.
On a value, inspect it."
  (interactive)
  (let ((start (descartes-repl--mark)))
    (cond ((< (point) start) (comint-copy-old-input))
          (descartes-repl--running (user-error "An evaluation runs; stop it with C-c C-c"))
          ((not (descartes-repl--complete-p (buffer-substring-no-properties start (point-max))))
           (newline-and-indent))
          (t (goto-char (point-max))
             (comint-send-input)))))

(defun descartes-repl--send (_process input)
  "Evaluate INPUT."
  (setq descartes-repl--running t)
  (if (string-blank-p input)
      (descartes-repl--prompt)
    (descartes-call (car descartes-repl--asks) (append (list :code input) (cdr descartes-repl--asks))
                    #'descartes-repl--paused #'descartes-repl--failed)))

(defun descartes-repl--failed (text data)
  "Go on waiting if DATA name a running evaluation; else show TEXT."
  (let ((id (plist-get data :evaluation)))
    (if (not id)
        (progn (descartes-repl--insert (format "; %s\n" text) 'font-lock-face 'descartes-repl-problem)
               (descartes-repl--prompt))
      (descartes-repl--claim id)
      (setq descartes-repl--running id)
      (descartes-call "lisp.evaluation" (list :id id :waitMs 3600000)
                      (lambda (evaluation)
                        (if (equal (plist-get evaluation :state) "running")
                            (descartes-repl--failed "" data)
                          (descartes-repl--paused evaluation)))
                      #'descartes-repl--failed))))

(defun descartes-repl--paused (evaluation)
  "Show EVALUATION, which has stopped or ended, and the prompt."
  (let ((id (plist-get evaluation :id))
        (descartes-repl--running t))
    (descartes-repl--claim id)
    (descartes-repl--show-rest evaluation)
    (descartes-repl--insert-outcome evaluation)
    (unless (equal (plist-get evaluation :state) "stopped")
      (descartes-repl--unclaim id)))
  (setq descartes-repl-package (or (plist-get evaluation :package) descartes-repl-package))
  (descartes-repl--prompt))

(defun descartes-repl--ended (evaluation)
  "Show EVALUATION in the REPL where it had stopped."
  (dolist (buffer (descartes-repl--all))
    (with-current-buffer buffer
      (let ((id (plist-get evaluation :id)))
        (when (and (not descartes-repl--running) (assoc id descartes-repl--shown))
          (descartes-repl--show-rest evaluation)
          (descartes-repl--insert-outcome evaluation)
          (descartes-repl--unclaim id))))))

(add-hook 'descartes-evaluated-functions #'descartes-repl--ended)

;;; Output

(defun descartes-repl--claim (id)
  "Show from now on what the evaluation ID prints, and what it has printed."
  (unless (assoc id descartes-repl--shown)
    (push (cons id 0) descartes-repl--shown)
    (when-let ((early (alist-get id descartes-repl--early nil nil #'equal)))
      (descartes-repl--print id early))))

(defun descartes-repl--unclaim (id)
  "Forget the evaluation ID, which has ended."
  (setq descartes-repl--shown (assoc-delete-all id descartes-repl--shown)))

(defun descartes-repl--forget ()
  "Let the output of this REPL be shown as that of nobody."
  (setq descartes-repl--shown nil))

(defun descartes-repl--print (id text)
  "Write TEXT, which the evaluation ID printed."
  (let ((shown (assoc id descartes-repl--shown)))
    (setcdr shown (+ (cdr shown) (length text)))
    (descartes-repl--insert text 'font-lock-face 'descartes-repl-output)))

(defun descartes-repl--show-rest (evaluation)
  "Write what EVALUATION printed and no notification has brought."
  (let* ((id (plist-get evaluation :id))
         (shown (alist-get id descartes-repl--shown 0 nil #'equal))
         (output (or (plist-get evaluation :output) "")))
    (when (> (length output) shown)
      (descartes-repl--print id (substring output shown)))
    (descartes-repl--fresh-line)
    (when-let ((file (plist-get evaluation :outputFile)))
      (descartes-repl--insert (format "; all %s bytes are in %s\n" (plist-get evaluation :outputBytes) file)
                              'font-lock-face 'shadow))))

(defun descartes-repl--output (params)
  "Write the text of PARAMS if it is of an evaluation of a REPL here."
  (let* ((id (plist-get params :evaluation))
         (buffer (and id (cl-find-if (lambda (each)
                                       (assoc id (buffer-local-value 'descartes-repl--shown each)))
                                     (descartes-repl--all)))))
    (cond (buffer (with-current-buffer buffer
                    (descartes-repl--print id (plist-get params :text))
                    t))
          ((and id (cl-some (lambda (each) (eq t (buffer-local-value 'descartes-repl--running each)))
                            (descartes-repl--all)))
           ;; Perhaps of an evaluation that was just asked for here: it is known by its id soon.
           (descartes-repl--keep id (plist-get params :text))
           nil))))

(defun descartes-repl--keep (id text)
  "Keep TEXT that the evaluation ID printed for a REPL that may claim it."
  (let ((before (alist-get id descartes-repl--early "" nil #'equal)))
    (setq descartes-repl--early
          (seq-take (cons (cons id (concat before text)) (assoc-delete-all id descartes-repl--early)) 20))))

(add-hook 'descartes-output-functions #'descartes-repl--output)

;;; Further commands

(defun descartes-repl-interrupt ()
  "Stop the evaluation of this REPL in the debugger."
  (interactive)
  (unless descartes-repl--running
    (user-error "Nothing runs here"))
  (descartes-call "lisp.interrupt" (when (stringp descartes-repl--running)
                                     (list :evaluation descartes-repl--running))))

(defun descartes-repl-set-package (package)
  "Go into PACKAGE."
  (interactive "sPackage: ")
  (goto-char (point-max))
  (delete-region (descartes-repl--mark) (point-max))
  (insert (format "(in-package %s)" (prin1-to-string package)))
  (comint-send-input))

(defun descartes-repl--candidates (text)
  "Return what completes TEXT at its end, as (START . LABELS)."
  (when-let ((found (descartes-await "lisp.complete"
                                     (append (list :text text :offset (length text))
                                             (if descartes-repl-name
                                                 (list :repl descartes-repl-name)
                                               (list :package descartes-repl-package))))))
    (cons (plist-get found :start)
          (mapcar (lambda (item)
                    (propertize (plist-get item :label) 'descartes-detail (plist-get item :detail)))
                  (plist-get found :items)))))

(defun descartes-repl-complete ()
  "Complete the symbol before point, for `completion-at-point'."
  (let ((start (marker-position (descartes-repl--mark))))
    (when (and (>= (point) start) (not descartes-repl--running))
      (when-let ((found (descartes-repl--candidates (buffer-substring-no-properties start (point)))))
        (list (+ start (car found)) (point) (cdr found)
              :exclusive 'no
              :annotation-function
              (lambda (each)
                (let ((detail (get-text-property 0 'descartes-detail each)))
                  (and detail (concat "  " detail)))))))))

(define-key descartes-mode-map (kbd "C-c C-z") #'descartes-repl)

(provide 'descartes-repl)
;;; descartes-repl.el ends here
