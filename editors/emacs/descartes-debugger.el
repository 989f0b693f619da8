;;; descartes-debugger.el --- The debugger's buffer -*- lexical-binding: t -*-

;; SPDX-License-Identifier: MIT

;;; Commentary:

;; One buffer for all stopped threads, the newest stop first, with SLDB's keys.
;; It is displayed without being selected; nothing but a key or button in it
;; invokes a restart, and point stays at its stop whatever else stops or goes on.
;;
;;   RET  invoke the restart, show variables,  v  show the source
;;        inspect the variable                 e  evaluate in the frame
;;   0-9  invoke a restart by its number       d  the same, printed in full
;;   I    invoke a restart by its name         z  a console in the frame
;;   a    abort to the level above             :  evaluate outside the frame
;;   c    continue                             i  inspect a value of the frame
;;   q    leave every level                    C  inspect the condition
;;   n p  the next frame, the one before       r  call the frame's function again;
;;        (M-n M-p also show it)                  C-u r with other arguments
;;   N P  the next stop, the one before        R  return a value from the frame
;;   s    step into                            D  compile the frame's function
;;   x    step over                               again with full debug
;;   o    step out                             m  show more frames
;;   S    stop on signals, or not any more
;;
;; `descartes-stops' has what leaves a stop, `descartes-frames' what is done in
;; a frame, `descartes-breakpoints' what stops a thread.

;;; Code:

(require 'descartes)
(require 'descartes-stops)

(defface descartes-condition '((t :inherit error)) "The condition of a stop." :group 'descartes)
(defface descartes-heading '((t :inherit bold)) "A heading of the debugger." :group 'descartes)
(defface descartes-restart '((t :inherit font-lock-function-name-face)) "A restart." :group 'descartes)
(defface descartes-frame-known '((t)) "A frame whose source is known." :group 'descartes)
(defface descartes-frame '((t :inherit shadow)) "A frame whose source is not known." :group 'descartes)

(defconst descartes-debugger-buffer "*descartes-debugger*")

(defconst descartes-debugger--linger 0.4
  "Seconds that the window stays when nothing is stopped.
A step leaves a stop for the next one.")

(defvar descartes-debugger--locals (make-hash-table :test #'equal)
  "The variables shown, and further frames, by `descartes-debugger--key'.")

(defvar-local descartes-debugger--visited nil "Whether the person has worked in this buffer since it was opened.")
(defvar-local descartes-debugger--places nil "Where point was in each window when a stop was shown last.")
(defvar-local descartes-debugger--left nil "The thread at which point was and that is not stopped any more.")

(defvar descartes-debugger-mode-map
  (let ((map (make-sparse-keymap)))
    (set-keymap-parent map special-mode-map)
    (define-key map (kbd "TAB") #'forward-button)
    (define-key map (kbd "<backtab>") #'backward-button)
    (define-key map "I" #'descartes-debugger-invoke-name)
    (define-key map "a" #'descartes-debugger-abort)
    (define-key map "q" #'descartes-debugger-quit)
    (define-key map "c" #'descartes-debugger-continue)
    (define-key map "N" #'descartes-debugger-next-stop)
    (define-key map "P" #'descartes-debugger-previous-stop)
    (define-key map ":" #'descartes-eval)
    (dotimes (number 10)
      (define-key map (number-to-string number)
        (lambda () (interactive) (descartes-debugger-invoke-number number))))
    map)
  "Keys of the debugger, those of SLDB; `descartes-frames' adds those of frames.")

(define-derived-mode descartes-debugger-mode special-mode "Debugger"
  "The stopped threads of the image, their restarts and frames."
  (setq truncate-lines t
        header-line-format '(:eval (descartes-debugger--header)))
  (add-hook 'post-command-hook (lambda () (setq descartes-debugger--visited t)) nil t))

(defun descartes-debugger--header ()
  "Return what can be done here, as a line."
  (concat (if (cdr descartes-debuggers) (format " %d stops: N P ·" (length descartes-debuggers)) "")
          " 0-9 restart · a abort · c continue · e evaluate · z console · C-h m all keys"))

(defun descartes-debugger--key (stop frame)
  "Return what names FRAME of STOP among the shown variables.
Without FRAME, what names the further frames of STOP.  The next stop of
the same thread has other names."
  (list (plist-get stop :thread) (plist-get stop :level) (plist-get stop :since)
        (plist-get (plist-get stop :condition) :message) (plist-get frame :index)))

;;; Showing

(defvar descartes-debugger--of nil "The stop that is being inserted.")

(defun descartes-debugger--line (kind &optional which)
  "Return the properties of a line of KIND, told apart from others by WHICH."
  (list 'descartes-line (list (plist-get descartes-debugger--of :thread)
                              (plist-get descartes-debugger--of :level) kind which)))

(defun descartes-debugger--insert (text face &rest properties)
  "Insert TEXT as a line with PROPERTIES, in FACE unless that is nil."
  (insert (apply #'propertize (concat text "\n") (if face (append (list 'face face) properties) properties))))

(defun descartes-debugger--argument (argument)
  "Return the name of ARGUMENT of a restart, as it is shown."
  (let ((name (downcase (plist-get argument :name))))
    (pcase (plist-get argument :kind)
      ("rest" (concat name " …"))
      ("optional" (format "[%s]" name))
      (_ name))))

(defun descartes-debugger--label (restart)
  "Return the name of RESTART and of what it asks for."
  (let ((names (mapcar #'descartes-debugger--argument (descartes-stops-asked restart))))
    (concat (propertize (plist-get restart :name) 'face 'descartes-restart)
            (and names (propertize (format " (%s)" (string-join names " "))
                                   'face 'font-lock-variable-name-face)))))

(defun descartes-debugger--insert-restarts (stop)
  "Insert the restarts of STOP as buttons."
  (let* ((restarts (append (plist-get stop :restarts) nil))
         (labels (mapcar #'descartes-debugger--label restarts))
         (width (min 24 (apply #'max 0 (mapcar #'string-width labels)))))
    (cl-mapc (lambda (restart label)
               (let ((start (point)))
                 (insert (format "%3d " (plist-get restart :index)))
                 (insert-text-button label 'follow-link t
                                     'help-echo (plist-get restart :description)
                                     'action (lambda (_) (descartes-debugger-invoke stop restart)))
                 (insert (make-string (max 2 (- (+ width 2) (string-width label))) ?\s)
                         (plist-get restart :description) "\n")
                 (add-text-properties start (point)
                                      (descartes-debugger--line 'restart (plist-get restart :index)))))
             restarts labels)))

(defun descartes-debugger--short (value)
  "Return VALUE as a short line."
  (truncate-string-to-width (replace-regexp-in-string "[ \n]+" " " value) 40 nil nil "…"))

(defun descartes-debugger--earlier (local)
  "Return what LOCAL was at earlier visits of its frame, the newest first."
  (if-let ((values (append (plist-get local :earlier) nil)))
      (propertize (concat "  was " (mapconcat #'descartes-debugger--short (seq-take values 3) " ← "))
                  'face 'shadow
                  'help-echo (string-join values "\n"))
    ""))

(defun descartes-debugger--insert-local (frame local)
  "Insert LOCAL, a variable of FRAME."
  (apply #'descartes-debugger--insert
         (concat "      " (propertize (downcase (plist-get local :name)) 'face 'font-lock-variable-name-face)
                 " = " (plist-get local :value) (descartes-debugger--earlier local))
         nil 'descartes-frame frame 'descartes-local local
         (descartes-debugger--line 'local (list (plist-get frame :index) (plist-get local :name)))))

(defun descartes-debugger--insert-frame (stop frame)
  "Insert FRAME of STOP and its variables, if they are shown."
  (let ((line (append (list 'descartes-frame frame)
                      (descartes-debugger--line 'frame (plist-get frame :index))))
        (detail (gethash (descartes-debugger--key stop frame) descartes-debugger--locals)))
    (apply #'descartes-debugger--insert
           (format "%3d %s" (plist-get frame :index) (plist-get frame :description))
           (if (plist-get frame :location) 'descartes-frame-known 'descartes-frame)
           'descartes-frame-line t line)
    (when detail
      (when (seq-empty-p (plist-get detail :locals))
        (apply #'descartes-debugger--insert "      no variables" 'shadow line))
      (seq-doseq (each (plist-get detail :locals))
        (descartes-debugger--insert-local frame each))
      (seq-doseq (tag (plist-get detail :catchTags))
        (apply #'descartes-debugger--insert (concat "      catch " tag) 'shadow line)))))

(defun descartes-debugger--insert-frames (stop)
  "Insert the frames of STOP that are known, and how many are not."
  (let* ((count (plist-get stop :frameCount))
         (frames (append (plist-get stop :frames)
                         (gethash (descartes-debugger--key stop nil) descartes-debugger--locals)
                         nil))
         (left (- count (length frames))))
    (apply #'descartes-debugger--insert (format "\nFrames %d" count) 'descartes-heading
           (descartes-debugger--line 'frames))
    (dolist (each frames)
      (descartes-debugger--insert-frame stop each))
    (when (> left 0)
      (apply #'descartes-debugger--insert (format "    … %d more (m)" left) 'shadow
             (descartes-debugger--line 'more)))))

(defun descartes-debugger--insert-debugger (stop)
  "Insert everything about STOP."
  (let* ((descartes-debugger--of stop)
         (start (point))
         (condition (plist-get stop :condition))
         (who (plist-get (plist-get stop :origin) :name)))
    (apply #'descartes-debugger--insert (plist-get condition :message) 'descartes-condition
           (descartes-debugger--line 'condition))
    (apply #'descartes-debugger--insert
           (concat (propertize (plist-get condition :type) 'face 'font-lock-type-face)
                   (propertize (format "  thread %s · level %s%s" (plist-get stop :thread)
                                       (plist-get stop :level) (if who (concat " · " who) ""))
                               'face 'shadow))
           nil (descartes-debugger--line 'type))
    (apply #'descartes-debugger--insert "\nRestarts" 'descartes-heading (descartes-debugger--line 'restarts))
    (descartes-debugger--insert-restarts stop)
    (descartes-debugger--insert-frames stop)
    (apply #'descartes-debugger--insert "" nil (descartes-debugger--line 'end))
    (add-text-properties start (point) (list 'descartes-debugger stop))))

(defun descartes-debugger--write ()
  "Write all stops into this buffer."
  (let ((inhibit-read-only t))
    (erase-buffer)
    (unless descartes-debuggers
      (descartes-debugger--insert "No thread is stopped" 'shadow))
    (when descartes-debugger--left
      (descartes-debugger--insert (format "Thread %s is not stopped any more\n" descartes-debugger--left)
                                  'shadow 'descartes-left t 'descartes-line '(left)))
    (mapc #'descartes-debugger--insert-debugger descartes-debuggers)))

(defun descartes-debugger--render ()
  "Write the stops into their buffer, with point where it was, and return it."
  (with-current-buffer (get-buffer-create descartes-debugger-buffer)
    (unless (derived-mode-p 'descartes-debugger-mode)
      (descartes-debugger-mode))
    (when (get-text-property (point-min) 'descartes-line)
      (setq descartes-debugger--places (descartes-debugger--places-now)))
    (setq descartes-debugger--left (descartes-debugger--left-now))
    (descartes-debugger--write)
    (if descartes-debugger--places
        (mapc #'descartes-debugger--put-back descartes-debugger--places)
      (descartes-debugger--to-top))
    (current-buffer)))

;;; Point stays where it is

(defun descartes-debugger--place (at)
  "Return the line of AT and how far AT is from its beginning."
  (let* ((at (if (and (= at (point-max)) (> at (point-min))) (1- at) at))
         (start (if (and (> at (point-min))
                         (eq (get-text-property at 'descartes-line) (get-text-property (1- at) 'descartes-line)))
                    (previous-single-property-change at 'descartes-line nil (point-min))
                  at)))
    (cons (get-text-property at 'descartes-line) (- at start))))

(defun descartes-debugger--places-now ()
  "Return a list of each window, its point and its beginning.
Its first element has nil and this buffer's own point."
  (cons (list nil (descartes-debugger--place (point)) nil)
        (mapcar (lambda (window)
                  (list window (descartes-debugger--place (window-point window))
                        (descartes-debugger--place (window-start window))))
                (get-buffer-window-list nil nil t))))

(defun descartes-debugger--selected-p ()
  "Return non-nil when the person is in this buffer, or was a moment ago.
Who is asked for something in the minibuffer comes back here."
  (eq (current-buffer)
      (window-buffer (or (and (window-minibuffer-p) (minibuffer-selected-window)) (selected-window)))))

(defun descartes-debugger--left-now ()
  "Return the thread at point when it is not stopped any more, or nil.
It matters where other stops are: a key that is pressed then must not
act on one of them."
  (let ((thread (caar (nth 1 (assq (get-buffer-window nil t) descartes-debugger--places)))))
    (and descartes-debuggers thread
         (or descartes-debugger--visited (descartes-debugger--selected-p))
         (cond ((eq thread 'left) descartes-debugger--left)
               ((not (cl-find thread descartes-debuggers :key (lambda (each) (plist-get each :thread))))
                thread)))))

(defun descartes-debugger--find-line (line)
  "Return where LINE begins, or nil."
  (let ((at (point-min)))
    (while (and at (not (equal line (get-text-property at 'descartes-line))))
      (setq at (next-single-property-change at 'descartes-line)))
    at))

(defun descartes-debugger--nearest (line)
  "Return where LINE begins, or what is nearest to it."
  (pcase line
    (`(,thread ,level ,kind ,which)
     (or (descartes-debugger--find-line line)
         (and (eq kind 'local) (descartes-debugger--find-line (list thread level 'frame (car which))))
         (descartes-debugger--find-line (list thread level 'condition nil))
         (when-let ((same (cl-find thread descartes-debuggers :key (lambda (each) (plist-get each :thread)))))
           (descartes-debugger--find-line (list thread (plist-get same :level) 'condition nil)))
         (point-min)))
    (_ (point-min))))

(defun descartes-debugger--position (place)
  "Return where PLACE is now."
  (let* ((line (car place)) (start (descartes-debugger--nearest line)))
    (if (equal line (get-text-property start 'descartes-line))
        (min (+ start (cdr place))
             (1- (next-single-property-change start 'descartes-line nil (point-max))))
      start)))

(defun descartes-debugger--put-back (where)
  "Put point back to WHERE, one of `descartes-debugger--places'."
  (pcase-let ((`(,window ,point ,start) where))
    (cond ((null window) (goto-char (descartes-debugger--position point)))
          ((and (window-live-p window) (eq (window-buffer window) (current-buffer)))
           (set-window-start window (descartes-debugger--position start) t)
           (set-window-point window (descartes-debugger--position point))))))

(defun descartes-debugger-update (debuggers)
  "Show DEBUGGERS, all that are stopped now, without selecting the window."
  (let ((appeared (> (length debuggers) (length descartes-debuggers)))
        (first (null descartes-debuggers)))
    (descartes-stops-set debuggers)
    (when (or debuggers (get-buffer descartes-debugger-buffer))
      (let ((buffer (descartes-debugger--render)))
        (with-current-buffer buffer
          (when (and appeared (not descartes-debugger--visited) (not (descartes-debugger--selected-p)))
            (descartes-debugger--to-top)))
        (when (and appeared first)
          (display-buffer buffer '((display-buffer-reuse-window display-buffer-pop-up-window)
                                   (inhibit-same-window . t))))
        (unless debuggers
          (run-at-time descartes-debugger--linger nil #'descartes-debugger--close buffer))))
    (force-mode-line-update t)))

(defun descartes-debugger--to-top ()
  "Show the newest stop, where nobody has looked at another one yet."
  (goto-char (point-min))
  (dolist (window (get-buffer-window-list nil nil t))
    (set-window-point window (point-min))))

(defun descartes-debugger--close (buffer)
  "Give the windows of BUFFER back, if nothing is stopped any more."
  (when (and (buffer-live-p buffer) (null descartes-debuggers))
    (clrhash descartes-debugger--locals)
    (with-current-buffer buffer
      (setq descartes-debugger--visited nil descartes-debugger--places nil))
    (dolist (window (get-buffer-window-list buffer nil t))
      (quit-restore-window window))))

(defun descartes-debugger-show ()
  "Show the debugger and go there."
  (interactive)
  (pop-to-buffer (descartes-debugger--render)))

(defun descartes-debugger--go-to-stop (step)
  "Go STEP stops on from the one at point."
  (let* ((here (get-text-property (point) 'descartes-debugger))
         (index (if here (cl-position (descartes-stops-key here) descartes-debuggers
                                      :key #'descartes-stops-key :test #'equal)
                  (if (> step 0) -1 0)))
         (stop (or (nth (mod (+ index step) (max 1 (length descartes-debuggers))) descartes-debuggers)
                   (user-error "No thread is stopped"))))
    (goto-char (descartes-debugger--find-line
                (list (plist-get stop :thread) (plist-get stop :level) 'condition nil)))
    (when (and (eq (window-buffer) (current-buffer))
               (not (pos-visible-in-window-p
                     (1- (next-single-property-change (point) 'descartes-debugger nil (point-max))))))
      (recenter 0))))

(defun descartes-debugger-next-stop ()
  "Go to the next stop."
  (interactive)
  (descartes-debugger--go-to-stop 1))

(defun descartes-debugger-previous-stop ()
  "Go to the stop before."
  (interactive)
  (descartes-debugger--go-to-stop -1))

(provide 'descartes-debugger)
;;; descartes-debugger.el ends here
