;;; descartes-debugger.el --- The debugger's buffer -*- lexical-binding: t -*-

;; SPDX-License-Identifier: MIT

;;; Commentary:

;; One buffer for all stopped threads, with SLDB's keys.  It is displayed
;; without being selected; nothing but a key or button in it invokes a restart.
;;
;;   RET  invoke the restart, show variables,  v  show the source
;;        inspect the variable                 e  evaluate in the frame
;;   0-9  invoke a restart by its number       i  inspect a value of the frame
;;   a    abort to the level above             r  call the frame's function again;
;;   c    continue                                C-u r with other arguments
;;   q    leave every level                    R  return a value from the frame
;;   s    step into                            D  compile the frame's function
;;   x    step over                               again with full debug
;;   o    step out                             m  show more frames
;;   S    stop on signals, or not any more
;;
;; `descartes-retry-with-fix', C-c C-f in the code, compiles the corrected form
;; at point and calls its stopped frame again.

;;; Code:

(require 'descartes)
(require 'pulse)

(defface descartes-condition '((t :inherit error)) "The condition of a stop." :group 'descartes)
(defface descartes-heading '((t :inherit bold)) "A heading of the debugger." :group 'descartes)
(defface descartes-restart '((t :inherit font-lock-function-name-face)) "A restart." :group 'descartes)
(defface descartes-frame-known '((t)) "A frame whose source is known." :group 'descartes)
(defface descartes-frame '((t :inherit shadow)) "A frame whose source is not known." :group 'descartes)

(defvar descartes-debuggers nil
  "The stops there are now, as the server sent them.")

(defvar descartes-debugger--locals (make-hash-table :test #'equal)
  "The variables shown, and further frames, by `descartes-debugger--key'.")

(defconst descartes-debugger-buffer "*descartes-debugger*")

(defvar descartes-debugger-mode-map
  (let ((map (make-sparse-keymap)))
    (set-keymap-parent map special-mode-map)
    (define-key map (kbd "TAB") #'forward-button)
    (define-key map (kbd "<backtab>") #'backward-button)
    (define-key map (kbd "RET") #'descartes-debugger-act)
    (define-key map "t" #'descartes-debugger-toggle-locals)
    (define-key map "m" #'descartes-debugger-more-frames)
    (define-key map "i" #'descartes-debugger-inspect)
    (define-key map "s" #'descartes-debugger-step-into)
    (define-key map "x" #'descartes-debugger-step-over)
    (define-key map "o" #'descartes-debugger-step-out)
    (define-key map "D" #'descartes-debugger-recompile)
    (define-key map "S" #'descartes-break-on-signals)
    (define-key map "v" #'descartes-debugger-show-source)
    (define-key map "e" #'descartes-debugger-eval-in-frame)
    (define-key map "r" #'descartes-debugger-restart-frame)
    (define-key map "R" #'descartes-debugger-return-from-frame)
    (define-key map "a" #'descartes-debugger-abort)
    (define-key map "q" #'descartes-debugger-quit)
    (define-key map "c" #'descartes-debugger-continue)
    (dotimes (number 10)
      (define-key map (number-to-string number)
        (lambda () (interactive) (descartes-debugger-invoke-number number))))
    map)
  "Keys of the debugger, those of SLDB.")

(define-derived-mode descartes-debugger-mode special-mode "Debugger"
  "The stopped threads of the image, their restarts and frames."
  (setq truncate-lines t))

(defun descartes-debugger--stop (stop)
  "Return the parameters that name STOP."
  (list :thread (plist-get stop :thread) :level (plist-get stop :level)))

(defun descartes-debugger--debugger ()
  "Return the stop at point; the newest one when point is at none."
  (or (get-text-property (point) 'descartes-debugger)
      (car (last descartes-debuggers))
      (user-error "No thread is stopped")))

(defun descartes-debugger--frame ()
  "Return the frame at point."
  (or (get-text-property (point) 'descartes-frame) (user-error "No frame here")))

(defun descartes-debugger--key (stop frame)
  "Return what names FRAME of STOP among the shown variables.
Without FRAME, what names the further frames of STOP."
  (list (plist-get stop :thread) (plist-get stop :level) (plist-get frame :index)))

;;; Showing

(defun descartes-debugger--insert (text face &rest properties)
  "Insert TEXT as a line with PROPERTIES, in FACE unless that is nil."
  (insert (apply #'propertize text (if face (append (list 'face face) properties) properties)) "\n"))

(defun descartes-debugger--asked (restart)
  "Return those arguments of RESTART that it wants from a person."
  (seq-filter (lambda (argument)
                (or (equal (plist-get argument :kind) "required")
                    (and (equal (plist-get argument :kind) "rest")
                         (eq (plist-get restart :interactive) t))))
              (plist-get restart :arguments)))

(defun descartes-debugger--label (restart)
  "Return the name of RESTART and of what it asks for."
  (let ((names (mapcar (lambda (each)
                         (concat (downcase (plist-get each :name))
                                 (if (equal (plist-get each :kind) "rest") " …" "")))
                       (descartes-debugger--asked restart))))
    (concat (propertize (plist-get restart :name) 'face 'descartes-restart)
            (and names (propertize (format " (%s)" (string-join names " "))
                                   'face 'font-lock-variable-name-face)))))

(defun descartes-debugger--insert-restarts (stop)
  "Insert the restarts of STOP as buttons."
  (let* ((restarts (append (plist-get stop :restarts) nil))
         (labels (mapcar #'descartes-debugger--label restarts))
         (width (min 24 (apply #'max 0 (mapcar #'string-width labels)))))
    (cl-mapc (lambda (restart label)
               (insert (format "%3d " (plist-get restart :index)))
               (insert-text-button label 'follow-link t
                                   'help-echo (plist-get restart :description)
                                   'action (lambda (_) (descartes-debugger-invoke stop restart)))
               (insert (make-string (max 2 (- (+ width 2) (string-width label))) ?\s)
                       (plist-get restart :description) "\n"))
             restarts labels)))

(defun descartes-debugger--insert-frame (stop frame)
  "Insert FRAME of STOP and its variables, if they are shown."
  (descartes-debugger--insert
   (format "%3d %s" (plist-get frame :index) (plist-get frame :description))
   (if (plist-get frame :location) 'descartes-frame-known 'descartes-frame)
   'descartes-frame frame)
  (when-let ((detail (gethash (descartes-debugger--key stop frame) descartes-debugger--locals)))
    (when (seq-empty-p (plist-get detail :locals))
      (descartes-debugger--insert "      no variables" 'shadow 'descartes-frame frame))
    (seq-doseq (each (plist-get detail :locals))
      (descartes-debugger--insert
       (concat "      " (propertize (downcase (plist-get each :name)) 'face 'font-lock-variable-name-face)
               " = " (plist-get each :value))
       nil 'descartes-frame frame 'descartes-local each))
    (seq-doseq (tag (plist-get detail :catchTags))
      (descartes-debugger--insert (concat "      catch " tag) 'shadow 'descartes-frame frame))))

(defun descartes-debugger--insert-frames (stop)
  "Insert the frames of STOP that are known, and how many are not."
  (let* ((count (plist-get stop :frameCount))
         (frames (append (plist-get stop :frames)
                         (gethash (descartes-debugger--key stop nil) descartes-debugger--locals)
                         nil))
         (left (- count (length frames))))
    (descartes-debugger--insert (format "\nFrames %d" count) 'descartes-heading)
    (dolist (each frames)
      (descartes-debugger--insert-frame stop each))
    (when (> left 0)
      (descartes-debugger--insert (format "    … %d more (m)" left) 'shadow))))

(defun descartes-debugger--insert-debugger (stop)
  "Insert everything about STOP."
  (let* ((start (point))
         (condition (plist-get stop :condition))
         (who (plist-get (plist-get stop :origin) :name)))
    (descartes-debugger--insert (plist-get condition :message) 'descartes-condition)
    (insert (propertize (plist-get condition :type) 'face 'font-lock-type-face))
    (descartes-debugger--insert
     (format "  thread %s · level %s%s" (plist-get stop :thread) (plist-get stop :level)
             (if who (concat " · " who) ""))
     'shadow)
    (descartes-debugger--insert "\nRestarts" 'descartes-heading)
    (descartes-debugger--insert-restarts stop)
    (descartes-debugger--insert-frames stop)
    (insert "\n")
    (add-text-properties start (point) (list 'descartes-debugger stop))))

(defun descartes-debugger--render ()
  "Write the stops into their buffer and return it."
  (with-current-buffer (get-buffer-create descartes-debugger-buffer)
    (unless (derived-mode-p 'descartes-debugger-mode)
      (descartes-debugger-mode))
    (let ((inhibit-read-only t) (at (point)))
      (erase-buffer)
      (unless descartes-debuggers
        (descartes-debugger--insert "No thread is stopped" 'shadow))
      (mapc #'descartes-debugger--insert-debugger (reverse descartes-debuggers))
      (goto-char (min at (point-max))))
    (current-buffer)))

(defun descartes-debugger-update (debuggers)
  "Show DEBUGGERS, all that are stopped now, without selecting the window."
  (let ((appeared (> (length debuggers) (length descartes-debuggers)))
        (first (null descartes-debuggers)))
    (setq descartes-debuggers debuggers)
    (unless debuggers
      (clrhash descartes-debugger--locals))
    (when (or debuggers (get-buffer descartes-debugger-buffer))
      (let ((buffer (descartes-debugger--render)))
        (when appeared
          (descartes-debugger--to-top buffer)
          (when first
            (display-buffer buffer '((display-buffer-reuse-window display-buffer-pop-up-window)
                                     (inhibit-same-window . t)))))
        (unless debuggers
          (descartes-debugger--close buffer))))
    (force-mode-line-update t)))

(defun descartes-debugger--to-top (buffer)
  "Move point to the newest stop in BUFFER and its windows."
  (with-current-buffer buffer
    (goto-char (point-min))
    (dolist (window (get-buffer-window-list buffer nil t))
      (set-window-point window (point-min)))))

(defun descartes-debugger--close (buffer)
  "Give the windows of BUFFER back: nothing is stopped any more."
  (dolist (window (get-buffer-window-list buffer nil t))
    (quit-restore-window window)))

(defun descartes-debugger-show ()
  "Show the debugger and go there."
  (interactive)
  (pop-to-buffer (descartes-debugger--render)))

;;; Leaving a stop

(defun descartes-debugger--left (result)
  "Show what an operation that left a stop has come to, RESULT."
  (when-let ((evaluation (plist-get result :evaluation)))
    (descartes-show-evaluation evaluation)))

(defun descartes-debugger--read-argument (argument)
  "Return the Lisp texts that the person gives for ARGUMENT of a restart."
  (let ((name (downcase (plist-get argument :name))))
    (if (equal (plist-get argument :kind) "rest")
        (cl-loop for text = (read-string (format "%s (empty: no more): " name))
                 until (string-empty-p text) collect text)
      (list (read-string (format "%s: " name))))))

(defun descartes-debugger-invoke (stop restart)
  "Invoke RESTART of STOP, after asking for its arguments."
  (let ((arguments (mapcan #'descartes-debugger--read-argument (descartes-debugger--asked restart))))
    (descartes-call "debugger.restart"
                    (append (descartes-debugger--stop stop)
                            (list :index (plist-get restart :index) :name (plist-get restart :name))
                            (when arguments (list :arguments (vconcat arguments))))
                    #'descartes-debugger--left)))

(defun descartes-debugger-invoke-with (params)
  "Invoke what PARAMS of debugger.restart name.
The arguments that it needs and PARAMS lack are asked for."
  (let* ((stop (cl-find (descartes-debugger--stop params) descartes-debuggers
                        :key #'descartes-debugger--stop :test #'equal))
         (restart (cl-find (plist-get params :index) (append (plist-get stop :restarts) nil)
                           :key (lambda (each) (plist-get each :index)))))
    (if (and restart (not (plist-get params :arguments)))
        (descartes-debugger-invoke stop restart)
      (descartes-call "debugger.restart" params #'descartes-debugger--left))))

(defun descartes-debugger-invoke-number (number)
  "Invoke the restart NUMBER of the stop at point."
  (let* ((stop (descartes-debugger--debugger))
         (restart (cl-find number (append (plist-get stop :restarts) nil)
                           :key (lambda (each) (plist-get each :index)))))
    (unless restart
      (user-error "There is no restart %d" number))
    (descartes-debugger-invoke stop restart)))

(defun descartes-debugger--leave (operation)
  "Ask for OPERATION on the stop at point."
  (descartes-call operation (descartes-debugger--stop (descartes-debugger--debugger))
                  #'descartes-debugger--left))

(defun descartes-debugger-abort ()
  "Leave the stop for the level above it."
  (interactive)
  (descartes-debugger--leave "debugger.abort"))

(defun descartes-debugger-continue ()
  "Go on after the stop."
  (interactive)
  (descartes-debugger--leave "debugger.continue"))

(defun descartes-debugger-quit ()
  "Leave every level; without a stop, close the window."
  (interactive)
  (if descartes-debuggers
      (descartes-debugger--leave "debugger.toplevel")
    (quit-window)))

;;; Frames

(defun descartes-debugger--frame-params ()
  "Return the parameters that name the frame at point."
  (append (descartes-debugger--stop (descartes-debugger--debugger))
          (list :frame (plist-get (descartes-debugger--frame) :index))))

(defun descartes-debugger-act ()
  "Invoke the restart at point, or show or hide the variables of its frame."
  (interactive)
  (cond ((button-at (point)) (push-button))
        ((get-text-property (point) 'descartes-local)
         (descartes-debugger--inspect :local (plist-get (get-text-property (point) 'descartes-local) :name)))
        ((get-text-property (point) 'descartes-frame) (descartes-debugger-toggle-locals))
        ((save-excursion (beginning-of-line) (forward-button 1 nil nil t)
                         (and (button-at (point)) (<= (point) (line-end-position))))
         (push-button (next-button (line-beginning-position))))))

(defun descartes-debugger--fetch-locals (stop frame)
  "Ask for the variables of FRAME of STOP and show them."
  (descartes-call "debugger.frame"
                  (append (descartes-debugger--stop stop) (list :frame (plist-get frame :index)))
                  (lambda (detail)
                    (puthash (descartes-debugger--key stop frame) detail descartes-debugger--locals)
                    (descartes-debugger--render))))

(defun descartes-debugger-toggle-locals ()
  "Show or hide the variables of the frame at point."
  (interactive)
  (let* ((stop (descartes-debugger--debugger))
         (frame (descartes-debugger--frame))
         (key (descartes-debugger--key stop frame)))
    (if (not (gethash key descartes-debugger--locals))
        (descartes-debugger--fetch-locals stop frame)
      (remhash key descartes-debugger--locals)
      (descartes-debugger--render))))

(defun descartes-debugger-more-frames ()
  "Show more frames of the stop at point."
  (interactive)
  (let* ((stop (descartes-debugger--debugger))
         (key (descartes-debugger--key stop nil))
         (more (gethash key descartes-debugger--locals))
         (from (+ (length (plist-get stop :frames)) (length more))))
    (descartes-call "debugger.frames"
                    (append (descartes-debugger--stop stop)
                            (list :start from :end (min (+ from 50) (plist-get stop :frameCount))))
                    (lambda (result)
                      (puthash key (append more (plist-get result :frames) nil) descartes-debugger--locals)
                      (descartes-debugger--render)))))

(defun descartes-debugger-eval-in-frame (code)
  "Evaluate CODE with the variables of the frame at point."
  (interactive "sEvaluate in frame: ")
  (let ((stop (descartes-debugger--debugger)) (frame (descartes-debugger--frame)))
    (descartes-call "debugger.evalInFrame" (append (descartes-debugger--frame-params) (list :code code))
                    (lambda (evaluation)
                      (descartes-show-evaluation evaluation)
                      (when (and (equal (plist-get evaluation :state) "done")
                                 (gethash (descartes-debugger--key stop frame) descartes-debugger--locals))
                        (descartes-debugger--fetch-locals stop frame))))))

(defun descartes-debugger-return-from-frame (code)
  "Return the value of CODE from the frame at point."
  (interactive "sReturn from frame: ")
  (descartes-call "debugger.returnFromFrame" (append (descartes-debugger--frame-params) (list :code code))
                  #'descartes-debugger--left))

(defun descartes-debugger--arguments (description)
  "Return the texts of the arguments that the person gives for a frame.
DESCRIPTION is its call as it is shown."
  (let* ((form (condition-case nil (read description) (error nil)))
         (before (and (consp form) (proper-list-p form)
                      (mapconcat #'prin1-to-string (cdr form) " ")))
         (text (read-string (format "Arguments of %s: " (if (consp form) (car form) "the call")) before)))
    (with-temp-buffer
      (set-syntax-table lisp-mode-syntax-table)
      (insert text)
      (goto-char (point-min))
      (let (found start)
        (while (progn (skip-chars-forward " \t\n") (not (eobp)))
          (setq start (point))
          (forward-sexp)
          (push (buffer-substring-no-properties start (point)) found))
        (vconcat (nreverse found))))))

(defun descartes-debugger-restart-frame (edit)
  "Call the function of the frame at point again; with EDIT, ask for its arguments."
  (interactive "P")
  (descartes-call "debugger.restartFrame"
                  (append (descartes-debugger--frame-params)
                          (when edit
                            (list :arguments (descartes-debugger--arguments
                                              (plist-get (descartes-debugger--frame) :description)))))
                  #'descartes-debugger--left))

(defun descartes-retry-with-fix ()
  "Compile the form at point as it is now, and call its stopped frame again.
When it does not compile, the thread stays stopped."
  (interactive)
  (descartes-call "debugger.retryWithFix"
                  (append (descartes-debugger--stop (or (car (last descartes-debuggers))
                                                        (user-error "No thread is stopped")))
                          (descartes--here))
                  #'descartes-debugger--left))

(defun descartes-debugger-recompile ()
  "Compile the function of the frame at point again with full debug."
  (interactive)
  (descartes-call "debugger.recompile" (descartes-debugger--frame-params) #'descartes--show-compilation))

(defun descartes-debugger--step (kind)
  "Step in the manner of KIND."
  (descartes-call "debugger.step"
                  (append (descartes-debugger--stop (descartes-debugger--debugger)) (list :kind kind))
                  #'descartes-debugger--left))

(defun descartes-debugger-step-into ()
  "Go on to the next form evaluated."
  (interactive)
  (descartes-debugger--step "into"))

(defun descartes-debugger-step-over ()
  "Go on to the next form of this function."
  (interactive)
  (descartes-debugger--step "next"))

(defun descartes-debugger-step-out ()
  "Go on until the end of this function."
  (interactive)
  (descartes-debugger--step "out"))

(defun descartes-break-on-signals (type)
  "Stop whenever a condition of TYPE is signalled; an empty line ends that."
  (interactive (list (read-string "Stop on signals of the type (empty: off): ")))
  (descartes-call "debugger.breakOnSignals" (unless (string-blank-p type) (list :type type))
                  (lambda (answer)
                    (message "Stops on %s" (or (plist-get answer :type) "errors alone")))))

(defun descartes-break (symbol)
  "Stop at every call of the function SYMBOL."
  (interactive (descartes--read-symbol "Stop at calls of"))
  (descartes-call "debugger.breakpoints.set" (descartes--of-symbol symbol)
                  (lambda (answer)
                    (message "%s" (or (plist-get answer :message) (format "Stops at calls of %s" symbol))))))

(defun descartes-break-here ()
  "Stop at the form at point."
  (interactive)
  (descartes-call "debugger.breakpoints.set" (descartes--here)
                  (lambda (answer)
                    (message "%s" (or (plist-get answer :message) "Stops here")))))

(defun descartes-clear-breakpoint ()
  "Take a breakpoint away, after asking which."
  (interactive)
  (let* ((all (append (plist-get (descartes-await "debugger.breakpoints.list" nil) :breakpoints) nil))
         (titles (mapcar (lambda (each)
                           (cons (format "%s (%d hits)" (or (plist-get each :symbol)
                                                            (file-name-nondirectory (plist-get each :uri)))
                                         (plist-get each :hits))
                                 each))
                         all)))
    (unless titles
      (user-error "There is no breakpoint"))
    (let ((chosen (cdr (assoc (completing-read "Breakpoint: " titles nil t) titles))))
      (descartes-call "debugger.breakpoints.clear" (list :id (plist-get chosen :id))
                      (lambda (_) (message "It is gone"))))))

(declare-function descartes-inspector--open "descartes-inspector")
(declare-function descartes--read-symbol "descartes-explore")
(declare-function descartes--of-symbol "descartes-explore")

(defun descartes-debugger--inspect (key value)
  "Inspect what KEY and VALUE name in the frame at point."
  (descartes-inspector--open (append (descartes-debugger--frame-params) (list key value))))

(defun descartes-debugger-inspect (code)
  "Inspect the value of CODE, evaluated in the frame at point."
  (interactive "sInspect in frame: ")
  (descartes-debugger--inspect :expression code))

(define-key descartes-mode-map (kbd "C-c C-f") #'descartes-retry-with-fix)
(define-key descartes-mode-map (kbd "C-c M-b") #'descartes-break)
(define-key descartes-mode-map (kbd "C-c B") #'descartes-break-here)

(defun descartes-debugger--go-to (location)
  "Show LOCATION in another window."
  (unless location
    (user-error "No source is known here"))
  (pcase-let* ((`(,buffer . ,place) (descartes-visit (descartes-connection) location))
               (window (display-buffer buffer '(nil (inhibit-same-window . t)))))
    (with-selected-window window
      (goto-char place)
      (pulse-momentary-highlight-one-line place))))

(defun descartes-debugger-show-source ()
  "Show the source of the frame at point, else of the stop."
  (interactive)
  (let ((frame (get-text-property (point) 'descartes-frame)))
    (cond ((null frame)
           (descartes-debugger--go-to (plist-get (descartes-debugger--debugger) :location)))
          ((plist-get frame :location)
           (descartes-debugger--go-to (plist-get frame :location)))
          (t (descartes-call "debugger.frame" (descartes-debugger--frame-params)
                             (lambda (detail)
                               (descartes-debugger--go-to (plist-get detail :location))))))))

(provide 'descartes-debugger)
;;; descartes-debugger.el ends here
